"""Write what follows from schemas/values.schema.json: the chart's copy of it, its values.yaml, its
README, and the list of keys that must not be null. For the operator's chart, whose values.schema.json is the
source itself: its values.yaml and its README.

`python charts/generate.py` writes the files, `--check` says which ones are stale and exits 1.
"""

import argparse
import json
import pathlib
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jinja2
import yaml

from cortex_async_tools.chart.helm_yaml import dump_yaml

ROOT = pathlib.Path(__file__).parents[1]
CHART = ROOT / "charts" / "cortex-async"
OPERATOR_CHART = ROOT / "charts" / "cortex-operator"
WIDTH = 110
"""Columns of a comment in values.yaml."""

VALUES_HEAD = """\
# yaml-language-server: $schema=values.schema.json
# Made from schemas/values.schema.json by charts/generate.py.
#
# The top level is the AsyncAPI specification (snake_case): an entry of a cortex.yaml is a valid values file.
# Keys in camelCase say where and how the API is installed.
# A release needs pod.containers, aws.region and aws.bucket.
"""

OPERATOR_VALUES_HEAD = """\
# yaml-language-server: $schema=values.schema.json
# Made from values.schema.json by charts/generate.py. Every key has a default that works.
"""


@dataclass(frozen=True)
class Key:
    """A key of the values: its path, its schema with the reference resolved, and its default."""

    path: tuple[str, ...]
    schema: dict[str, Any]
    default: Any
    children: tuple["Key", ...]


def load_schema() -> dict[str, Any]:
    """Read the one source."""
    schema: dict[str, Any] = json.loads((ROOT / "schemas" / "values.schema.json").read_text())
    return schema


def about(schema: dict[str, Any]) -> str:
    """Return a description without the default it ends with, for where the default stands beside it."""
    text: str = schema["description"]
    return text.partition(" Default: ")[0]


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Put a definition in place of its reference; what stands beside the reference wins."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix("#/definitions/")
    return {**resolve(root["definitions"][name], root), **{k: v for k, v in schema.items() if k != "$ref"}}


def keys(
    schema: dict[str, Any], root: dict[str, Any], path: tuple[str, ...] = (), given: Any = None
) -> Iterator[Key]:
    """Yield the keys of an object, each with those below it; `given` is a default that an outer key states."""
    for name, raw in schema.get("properties", {}).items():
        if raw is False:  # a key that must not be set
            continue
        part = resolve(raw, root)
        default = (given or {}).get(name, part.get("default"))
        below = tuple(keys(part, root, (*path, name), default)) if "default" not in part or default else ()
        needed = part.get("required", ())
        described = all("default" in key.schema or key.children or key.path[-1] in needed for key in below)
        yield Key((*path, name), part, default, below if described else ())


def values_yaml(schema: dict[str, Any], head: str = VALUES_HEAD) -> str:
    """Make values.yaml: every key that has a default, under its description."""
    blocks = [head]
    for key in keys(schema, schema):
        blocks.append("\n".join(_lines(key, 0)) + "\n")
    return "\n".join(blocks)


def _lines(key: Key, indent: int) -> Iterator[str]:
    pad = " " * indent
    for line in textwrap.wrap(about(key.schema), WIDTH - indent - 2, break_long_words=False):
        yield f"{pad}# {line}"
    name = key.path[-1]
    if key.children:
        yield f"{pad}{name}:"
        for child in key.children:
            yield from _lines(child, indent + 2)
    else:
        value = [] if key.path == ("pod", "containers") else key.default
        dumped = dump_yaml({name: value})
        yield from textwrap.indent(dumped, pad).rstrip().splitlines()


def never_null(schema: dict[str, Any]) -> str:
    """List the keys that must have a value: helm takes a key that is set to null out of the values."""
    lines = []
    pending = list(keys(schema, schema))
    while pending:
        key = pending.pop(0)
        pending = [*key.children, *pending]
        empty = isinstance(key.default, (list, dict)) and "minItems" not in key.schema
        if key.children or not (empty or key.default in (None, "") or "null" in key.schema.get("type", ())):
            lines.append(".".join(key.path) + "\n")
    return "".join(lines)


def rows(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the README's table: every key without keys of its own."""
    pending = list(keys(schema, schema))
    while pending:
        key = pending.pop(0)
        if key.children:
            pending = [*key.children, *pending]
            continue
        default = "required" if key.path == ("pod", "containers") else f"`{json.dumps(key.default)}`"
        yield {"key": ".".join(key.path), "default": default, "description": about(key.schema)}


def container_rows(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the README's table of a container's fields."""
    container = schema["definitions"]["container"]
    for name, raw in container["properties"].items():
        part = resolve(raw, schema)
        fields = [(name, part)]
        if name == "compute":
            fields = [(f"compute.{inner}", resolve(spec, schema)) for inner, spec in part["properties"].items()]
        for path, spec in fields:
            default = "required" if path in container["required"] else f"`{json.dumps(spec.get('default'))}`"
            yield {"key": path, "default": default, "description": about(spec)}


def probe_rows(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the README's table of a probe's fields."""
    for name, raw in schema["definitions"]["livenessProbe"]["properties"].items():
        part = resolve(raw, schema)
        inner = {f"{name}.{key}": resolve(spec, schema) for key, spec in part.get("properties", {}).items()}
        for path, spec in (inner or {name: part}).items():
            required = path.split(".")[-1] in part.get("required", ())
            default = "required" if required else f"`{json.dumps(spec.get('default'))}`"
            yield {"key": path, "default": default, "description": about(spec)}


def readme(schema: dict[str, Any], folder: pathlib.Path = CHART) -> str:
    """Make the chart's README from its template."""
    environment = jinja2.Environment(  # noqa: S701 (Markdown, from our own files)
        loader=jinja2.FileSystemLoader(folder), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("<", "&lt;")
    template = environment.get_template("README.md.j2")
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    tables = {"rows": rows}
    if folder == CHART:
        tables |= {"container_rows": container_rows, "probe_rows": probe_rows}
    return template.render(chart=chart, **{name: list(table(schema)) for name, table in tables.items()})


def main(argv: list[str] | None = None) -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    check = parser.parse_args(argv).check
    schema = load_schema()
    operator_schema = json.loads((OPERATOR_CHART / "values.schema.json").read_text())
    made = {
        CHART / "values.schema.json": (ROOT / "schemas" / "values.schema.json").read_text(),
        CHART / "values.yaml": values_yaml(schema),
        CHART / "README.md": readme(schema),
        CHART / "files/never-null.txt": never_null(schema),
        OPERATOR_CHART / "values.yaml": values_yaml(operator_schema, OPERATOR_VALUES_HEAD),
        OPERATOR_CHART / "README.md": readme(operator_schema, OPERATOR_CHART),
    }
    stale = [file for file, text in made.items() if not _is(file, text)]
    for file in stale:
        if check:
            print(f"{file.relative_to(ROOT)} is stale: run make chart", file=sys.stderr)
        else:
            file.write_text(made[file])
    return int(check and bool(stale))


def _is(path: pathlib.Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
