"""Each rule of the schema and the chart gives a finding for its field, at its line."""

import re
from collections.abc import Callable

import pytest

from chart.refusals import REFUSALS, Refusal
from cortex_async_tools.lint.diagnostic import Diagnostic

Lint = Callable[..., list[Diagnostic]]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[0])
def test_a_broken_rule_is_found_at_its_field(lint: Lint, refusal: Refusal) -> None:
    _, values, field = refusal
    errors = [each for each in lint(values) if each.severity == "error"]
    assert len(errors) == 1, [each.text for each in errors]
    (found,) = errors
    path = re.sub(r"\[\"?([^\]\"]+)\"?\]", r".\1", found.field)
    near = path == field or path.startswith(f"{field}.") or path.endswith(f".{field}") or path in field
    assert near, found.text
    assert found.message
    key = path.rpartition(".")[2]
    if found.excerpt is not None and re.search(rf"\b{re.escape(key)}:", found.excerpt):
        assert found.excerpt[found.column - 1 :].lstrip("'\"").startswith(key)


def test_a_rule_of_the_chart_is_at_its_line(lint: Lint) -> None:
    (found,) = [
        each
        for each in lint(
            "pod:\n  containers:\n  - {name: a, image: 'a:1'}\n"
            "aws: {region: eu-west-1, bucket: results}\n"
            "autoscaling:\n  min_replicas: 3\n  max_replicas: 2\n"
        )
        if each.severity == "error"
    ]
    assert (found.code, found.line, found.column, found.field) == ("rule", 7, 3, "autoscaling.max_replicas")
    assert found.excerpt == "  max_replicas: 2"


def test_text_that_is_no_yaml_is_one_finding(lint: Lint) -> None:
    (found,) = lint("pod:\n\tport: 1\n")
    assert (found.code, found.line) == ("yaml", 2)
