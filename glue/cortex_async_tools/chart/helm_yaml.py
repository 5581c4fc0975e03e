"""YAML as Helm and Kubernetes read it, for values files and for rendered manifests.

PyYAML reads a few scalars differently. Helm has no timestamps and no base-60 numbers. It reads `y` as true and
`1e3` as a number, and `=` and `<<` as text where they are values.
"""

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    f"{_TAG}bool": (
        "y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        "yYnNtTfFoO",
    ),
    f"{_TAG}int": (
        r"[-+]?(0b[01_]+|0o?[0-7_]+|(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+)",
        "-+0123456789",
    ),
    f"{_TAG}float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
"""For each type: what its plain scalars look like, and the characters that they begin with."""


class ValuesLoader(yaml.SafeLoader):
    """Reads a values file. It is PyYAML's reader in Python, which knows the position of every field."""


class ManifestLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads rendered manifests. It uses PyYAML's reader in C where there is one, which is faster."""


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes that Helm would read as something else."""


def load_manifest(text: str) -> list[Any]:
    """Return the documents of a manifest, without the empty ones."""
    return [document for document in yaml.load_all(text, ManifestLoader) if document]


def dump_yaml(value: Any) -> str:
    """Write a value so that Helm reads the same value back. Text of several lines is written as a block."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return PyYAML's rules for plain scalars, with Helm's in place of those that differ."""
    replaced = {*_SCALARS, f"{_TAG}timestamp", f"{_TAG}value"}
    resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in replaced]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, (pattern, first_characters) in _SCALARS.items():
        for first in first_characters:
            resolvers.setdefault(first, []).append((tag, re.compile(f"^(?:{pattern})$")))
    return resolvers


for _class in (ValuesLoader, ManifestLoader, _Dumper):
    _class.yaml_implicit_resolvers = _resolvers()
for _loader in (ValuesLoader, ManifestLoader):
    _loader.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}
    _loader.add_constructor(f"{_TAG}merge", lambda _, node: str(node.value))
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(f"{_TAG}str", text, style="|" if "\n" in text else None),
)
