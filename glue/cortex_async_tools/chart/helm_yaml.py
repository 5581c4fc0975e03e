"""YAML's scalars as Helm reads them.

Helm's reader and PyYAML's differ in a few: Helm knows neither timestamps nor base-60 numbers, reads `y` as true,
`1e3` as a number and `=` as text.
"""

import re
from typing import ClassVar

import yaml


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of Helm's."""

    bool_values: ClassVar = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


_SCALARS = {
    "tag:yaml.org,2002:bool": (
        "y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        "yYnNtTfFoO",
    ),
    "tag:yaml.org,2002:int": (
        r"[-+]?(0b[01_]+|0o?[0-7_]+|(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+)",
        "-+0123456789",
    ),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
_REPLACED = {*_SCALARS, "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_pattern, _first) in _SCALARS.items():
    Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))


class Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, quoting what Helm would take for something else than text."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers


Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)
