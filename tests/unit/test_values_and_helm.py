"""The check of a values file and helm accept and refuse the same files: the examples, and damaged ones."""

import copy
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cortex_async_tools.chart import helm
from cortex_async_tools.chart.values_file import check_values, find_chart

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "values").rglob("*.yaml"))
JUNK = [None, True, 0, -1, 1.5, "x", "", [], {}, "A b", [1], {"a": 1}, 99_999_999, "5m", "10%"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_finds_nothing_in_an_example(file: Path) -> None:
    assert check_values(file, find_chart()) == []


def helm_refuses_the_schema(file: Path) -> bool:
    done = subprocess.run(
        [helm.locate(), "template", "release", find_chart(), "--values", file],
        check=False,
        capture_output=True,
        text=True,
    )
    return "values don't meet" in done.stderr


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each collection of a document with each of its keys or indices."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(entries):
        yield value, key
        yield from places(below)


def field_names() -> list[str]:
    names: set[str] = set()

    def gather(schema: Any) -> None:
        if isinstance(schema, dict):
            names.update(schema.get("properties", {}))
        for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            gather(below)

    gather(json.loads((find_chart() / "values.schema.json").read_text()))
    return sorted(names)


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_helm_on_damaged_values(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    values = copy.deepcopy(yaml.safe_load(chance.choice(EXAMPLES).read_text()))
    for _ in range(chance.choice([1, 1, 2])):
        holder, key = chance.choice(list(places(values)))
        how = chance.randrange(3)
        if how == 0:
            holder[key] = chance.choice(JUNK)
        elif how == 1:
            del holder[key]
        elif isinstance(holder, dict):
            holder[chance.choice(field_names())] = chance.choice(JUNK)
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))

    findings = check_values(file, find_chart())

    assert bool(findings) == helm_refuses_the_schema(file), [str(each) for each in findings]
