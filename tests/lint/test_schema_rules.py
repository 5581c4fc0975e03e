"""Each rule of the schema gives one finding, at the line of the field that breaks it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from cortex_async_tools.chart.values_file import field_path
from cortex_async_tools.lint.diagnostic import Diagnostic
from lint.breakages import Breakage, breakages

BREAKAGES = list(breakages())


def line_of(text: str, path: tuple[str | int, ...]) -> int | None:
    """Return the line of a field or list entry in a YAML text, from 1; None for the whole file."""
    node: Any = yaml.compose(text)
    line = None
    for key in path:
        if isinstance(key, int):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            name, node = next(each for each in node.value if each[0].value == key)
            line = name.start_mark.line + 1
    return line


@pytest.mark.parametrize("broken", BREAKAGES, ids=lambda each: f"{field_path(each.field)} {each.rule}"[:90])
def test_a_broken_rule_is_one_finding_at_its_line(lint: Callable[..., list[Diagnostic]], broken: Breakage) -> None:
    text = yaml.safe_dump(broken.values, sort_keys=False)
    errors = [each for each in lint(text) if each.severity == "error"]
    assert [(each.code, each.field) for each in errors] == [("schema", field_path(broken.field))], errors
    assert errors[0].line == (line_of(text, broken.place) or 1)
    assert len(errors[0].message) > 10
    assert not re.search(r"a-z|0-9|A-Z|\(\^|\[\^", errors[0].message), "a regular expression"


def test_the_rules_of_the_schema_were_found() -> None:
    assert len(BREAKAGES) > 600
