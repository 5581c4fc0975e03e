"""The schema of the values as an editor shows it: each field, at every depth, is told in full."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import Draft7Validator

from cortex_async.limits import S3_PART_BYTES, S3_PARTS
from cortex_async_tools.chart.values_file.patterns import in_words

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "values.schema.json").read_text())
EXAMPLES = sorted([*ROOT.glob("values/*.yaml"), *ROOT.glob("values/*/values.yaml")])


@dataclass(frozen=True)
class Field:
    """A field with its reference resolved; `needed`: its object asks for it, alone or as one of some."""

    path: str
    schema: dict[str, Any]
    needed: bool

    @property
    def is_group(self) -> bool:
        return any(self.schema.get("properties", {}).values())


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").removeprefix("#/definitions/")
    return {**_resolved(SCHEMA["definitions"][name]), **part} if name else part


def _needed(part: dict[str, Any]) -> set[str]:
    alternatives = [name for each in part.get("oneOf", ()) for name in each.get("required", ())]
    return {*part.get("required", ()), *alternatives}


def _fields(part: dict[str, Any], path: str) -> Iterator[Field]:
    for name, raw in part.get("properties", {}).items():
        if raw is not False:
            inner = _resolved(raw)
            yield Field(f"{path}.{name}".lstrip("."), inner, name in _needed(part))
            yield from _fields(inner, f"{path}.{name}".lstrip("."))
    if "items" in part:
        inner = _resolved(part["items"])
        yield Field(f"{path}[]", inner, needed=True)
        yield from _fields(inner, f"{path}[]")


FIELDS = {field.path: field for field in _fields(SCHEMA, "")}
NAMED = [field for field in FIELDS.values() if not field.path.endswith("[]")]


def _by_path(field: Field) -> str:
    return field.path


def _refusals(field: Field, value: Any) -> list[str]:
    schema = {
        **{key: each for key, each in field.schema.items() if key != "$ref"},
        "definitions": SCHEMA["definitions"],
    }
    return [error.message for error in Draft7Validator(schema).iter_errors(value)]


def test_the_schema_passes_its_metaschema() -> None:
    assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
    Draft7Validator.check_schema(SCHEMA)


def test_fields_are_found_at_every_depth() -> None:
    assert {"name", "pod.containers[].readiness_probe.http_get.port", "extraVolumes[].csi.driver"} <= FIELDS.keys()
    assert len(FIELDS) > 300


def test_largest_payload_is_what_the_parts_of_an_upload_hold() -> None:
    api = json.loads((ROOT / "schemas" / "api.schema.json").read_text())
    told = api["properties"]["gateway"]["properties"]["maxPayloadMiB"]["maximum"]
    assert told * 2**20 == S3_PARTS * S3_PART_BYTES
    assert FIELDS["gateway.maxPayloadMiB"].schema["maximum"] == told


def test_every_field_has_a_title_and_a_description() -> None:
    assert [each.path for each in NAMED if not each.schema.get("title")] == []
    assert [each.path for each in FIELDS.values() if not each.schema.get("description")] == []


def test_every_field_has_a_default_or_is_needed_or_says_what_leaving_it_out_means() -> None:
    for each in NAMED:
        told = "default" in each.schema or each.needed or " Left out" in each.schema["description"]
        assert told or each.is_group, each.path  # a group's default is that of its fields


def test_every_description_ends_with_the_default() -> None:
    for each in NAMED:
        _, found, said = each.schema["description"].partition(" Default: ")
        default = each.schema.get("default")
        if "default" not in each.schema or (each.is_group and default == {}):
            assert not found, each.path
        else:
            assert said == f"{default if default and isinstance(default, str) else json.dumps(default)}.", (
                each.path
            )


def test_every_field_with_values_of_its_own_has_examples() -> None:
    for each in NAMED:
        kinds = {"boolean"} if each.schema.get("type") == "boolean" else each.schema.keys() & {"enum"}
        assert each.is_group or kinds or each.schema.get("examples"), each.path


def test_every_choice_is_described() -> None:
    for each in NAMED:
        if "enum" in each.schema:
            assert len(each.schema["enum"]) == len(each.schema.get("enumDescriptions", ())), each.path


@pytest.mark.parametrize("field", [each for each in FIELDS.values() if "examples" in each.schema], ids=_by_path)
def test_every_example_is_one(field: Field) -> None:
    assert [_refusals(field, example) for example in field.schema["examples"]] == [[]] * len(
        field.schema["examples"]
    )


def test_every_default_is_valid() -> None:
    for each in NAMED:
        if "default" in each.schema:
            assert _refusals(each, each.schema["default"]) == [], each.path


def test_every_default_is_the_charts() -> None:
    chart: dict[str, Any] = yaml.safe_load((ROOT / "charts" / "cortex-async" / "values.yaml").read_text())
    for each in NAMED:
        if "default" not in each.schema or "[]" in each.path or each.path.startswith("global."):
            continue
        *parents, _ = each.path.split(".")
        outer = [".".join(parents[:end]) for end in range(1, len(parents) + 1)]
        if any("default" in FIELDS[path].schema for path in outer):
            continue  # the default of what it is in counts
        value: Any = chart
        for key in each.path.split("."):
            value = value[key]
        assert value == each.schema["default"], each.path


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_example_file_names_the_schema_first(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert named != first
    assert (file.parent / named).resolve() == ROOT / "schemas" / "values.schema.json"


def _patterns(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"], part.get("patternErrorMessage")
        yield from (found for key, below in part.items() if key != "not" for found in _patterns(below))
    elif isinstance(part, list):
        yield from (found for below in part for found in _patterns(below))


@pytest.mark.parametrize(("pattern", "message"), sorted(set(_patterns(SCHEMA)), key=str))
def test_no_editor_has_to_show_a_regular_expression(pattern: str, message: str | None) -> None:
    assert message == f"Expected {in_words(pattern)}."
