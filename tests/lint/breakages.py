"""For every rule of the values schema, values that break this rule and no other.

They are generated from the schema: each field is added to otherwise valid values, then each of its keywords is
broken.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema

from chart.helm_cli import ROOT, merged, minimal

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "values.schema.json").read_text())

Path = tuple[str | int, ...]
Schema = dict[str, Any]

STRANGE = [[], {}, "x y", 1.5, "A b", "a//b", "-", "", "\x7f", "x" * 300]
"""Values to try against a keyword, in the order of preference."""


@dataclass(frozen=True)
class Breakage:
    """Wrong values, the wrong field, and the place to report: the field, or its parent if it is missing."""

    rule: str
    values: dict[str, Any]
    field: Path
    place: Path


def resolved(part: Schema) -> Schema:
    name = part.get("$ref", "").removeprefix("#/definitions/")
    return {**resolved(SCHEMA["definitions"][name]), **part} if name else part


BESIDE: dict[str, dict[str, Any]] = {
    "tolerationSeconds": {"effect": "NoExecute"},
    "minDomains": {"whenUnsatisfiable": "DoNotSchedule"},
    "ipBlock": {"podSelector": None, "namespaceSelector": None},
    "podSelector": {"ipBlock": None},
    "namespaceSelector": {"ipBlock": None},
}
"""Fields that need certain other fields beside them: the values of those, or None if they must be left out."""


def breakages() -> Iterator[Breakage]:
    yield from _of_fields(SCHEMA, (), minimal(), set())
    toleration = {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}
    yield _misplaced({"tolerations": [toleration]}, ("tolerations", 0, "effect"))
    yield _misplaced(
        {"tolerations": [{"effect": "NoSchedule"}]}, ("tolerations", 0, "operator"), ("tolerations", 0)
    )
    spread = {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}
    place = ("topologySpreadConstraints", 0, "whenUnsatisfiable")
    yield _misplaced({"topologySpreadConstraints": [spread]}, place)
    peer = {"podSelector": {"matchLabels": {}}, "ipBlock": {"cidr": "10.0.0.0/8"}}
    yield _misplaced({"networkPolicy": {"gatewayFrom": [peer]}}, ("networkPolicy", "gatewayFrom", 0, "ipBlock"))


def _misplaced(values: dict[str, Any], field: Path, place: Path | None = None) -> Breakage:
    return Breakage("beside others", merged(minimal(), values), field, place or field)


def _of_fields(part: Schema, path: Path, values: dict[str, Any], seen: set[str]) -> Iterator[Breakage]:
    """Yield what breaks the fields of an object and those below; each definition only the first time."""
    for name, raw in part.get("properties", {}).items():
        here = (*path, name)
        if raw is False:
            yield _broken("reserved", values, here, "x", here)
            continue
        inner = resolved(raw)
        given = _with(values, here, _valid(inner) if _at(values, here) is None else _at(values, here))
        for other in _alternatives(part) - {name} if name in _alternatives(part) else ():
            _at(given, path).pop(other, None)
        for other, value in BESIDE.get(name, {}).items():
            _at(given, path).pop(other, None)
            _at(given, path).update({other: value} if value is not None else {})
        yield from _of_field(inner, here, given)
        if raw.get("$ref") in seen:
            continue
        seen |= {raw["$ref"]} if "$ref" in raw else set()
        yield from _of_fields(inner, here, given, seen)
        if "items" in inner:
            item = resolved(inner["items"])
            filled = _with(given, here, _at(given, here) or [_valid(item)])
            yield from _of_field(item, (*here, 0), filled)
            yield from _of_fields(item, (*here, 0), filled, seen)


def _of_field(part: Schema, path: Path, values: dict[str, Any]) -> Iterator[Breakage]:
    now = _at(values, path)
    for keyword in ("type", "enum", "pattern", "maxLength", "not", "minimum", "maximum", "exclusiveMinimum",
                    "exclusiveMaximum", "minItems", "maxItems", "uniqueItems", "minProperties"):  # fmt: skip
        if keyword in part:
            yield _broken(keyword, values, path, _breaking(part, keyword, now), path)
    if part.get("type") == "object":
        yield from _of_object(part, path, values)


def _of_object(part: Schema, path: Path, values: dict[str, Any]) -> Iterator[Breakage]:
    now = _at(values, path)
    for name in part.get("required", ()):
        yield _broken("required", values, path, {k: v for k, v in now.items() if k != name}, path, (*path, name))
    if part.get("additionalProperties") is False:
        yield _broken("unknown", values, path, {**now, "str ange": "x"}, (*path, "str ange"))
    names = sorted(_alternatives(part))
    if names:
        others = {key: value for key, value in now.items() if key not in names}
        both = {name: _valid(resolved(part["properties"][name])) for name in names[:2]}
        yield _broken("none of several", values, path, others, path)
        yield _broken("two of several", values, path, {**others, **both}, path)
    for pattern, inner in part.get("patternProperties", {}).items():
        if inner is False:
            name = "CORTEX_X" if "CORTEX" in pattern else "helm.sh/x"
            yield _broken("reserved", values, path, {name: "x"}, (*path, name))
        else:
            yield _broken("type of a value", values, path, {"x": []}, (*path, "x"))
    if "propertyNames" in part:
        yield _broken("length of a name", values, path, {f"{'a.' * 130}a/x": "x"}, (*path, f"{'a.' * 130}a/x"))


def _breaking(part: Schema, keyword: str, now: Any) -> Any:
    """Return a value that this keyword refuses and, if possible, the other keywords accept."""
    limit = part[keyword]
    made: dict[str, Callable[[], Any]] = {
        "minimum": lambda: limit - 1,
        "maximum": lambda: limit + 1,
        "exclusiveMinimum": lambda: limit,
        "exclusiveMaximum": lambda: limit,
        "minItems": list,
        "maxItems": lambda: (now or [_valid(resolved(part["items"]))]) * (limit + 1),
        "uniqueItems": lambda: [_valid(resolved(part["items"]))] * 2,
        "minProperties": dict,
        "not": lambda: limit.get("enum", [None])[0] or _forbidden(limit["pattern"]),
        "maxLength": lambda: "a" * (limit + 1),
    }
    if keyword in made:
        return made[keyword]()
    own = jsonschema.Draft7Validator({keyword: limit})
    rest = jsonschema.Draft7Validator(
        {key: value for key, value in part.items() if key in {"type", "maxLength"} - {keyword}}
    )
    wrong = [each for each in STRANGE if not own.is_valid(each)]
    return next((each for each in wrong if rest.is_valid(each)), wrong[0])


def _forbidden(pattern: str) -> str:
    return next(each for each in ("CORTEX_X", "mnt", "Cookie") if re.search(pattern, each))


def _alternatives(part: Schema) -> set[str]:
    return {name for each in part.get("oneOf", ()) for name in each.get("required", ())}


def _valid(part: Schema) -> Any:
    """Return a value that a field accepts: an example, its default, or an object with the required fields."""
    if part.get("examples"):
        return part["examples"][0]
    if part.get("properties") and any(part["properties"].values()):
        needed = {*part.get("required", ()), *sorted(_alternatives(part))[:1]}
        if not needed and "minProperties" in part:
            needed = {next(iter(part["properties"]))}
        return {name: _valid(resolved(part["properties"][name])) for name in sorted(needed)}
    if "default" in part:
        return part["default"]
    if "enum" in part:
        return part["enum"][0]
    others: dict[str, Any] = {"array": [], "boolean": True, "object": {}, "integer": part.get("minimum")}
    texts = ("x", "image/png", "https://app.example.com")
    fitting = next(each for each in texts if re.search(part.get("pattern", ""), each))
    return others.get(str(part.get("type")), fitting)


def _at(values: Any, path: Path) -> Any:
    for key in path:
        known = isinstance(values, list) or (isinstance(values, dict) and key in values)
        values = values[key] if known else None
    return values


def _with(values: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key] if isinstance(key, int) else inner.setdefault(key, {})
    inner[path[-1]] = value
    return changed


def _broken(
    rule: str, values: dict[str, Any], path: Path, value: Any, place: Path, field: Path | None = None
) -> Breakage:
    return Breakage(rule, _with(values, path, value) if path else value, field or place, place)
