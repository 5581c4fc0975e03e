"""Each rule in the chart's templates gives one finding, at the line of its field."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart.helm_cli import CHART, at, merged, minimal
from chart.refusals import REFUSALS
from cortex_async_tools.chart.values_file.document import parse_document
from cortex_async_tools.lint.diagnostic import Diagnostic

Lint = Callable[..., list[Diagnostic]]

MORE: list[dict[str, Any]] = [
    minimal(gateway={"resources": {"requests": {"cpu": None}}}),
    minimal(gateway={"topologySpreadConstraints": [{"topologyKey": "zone"}] * 2}),
    minimal(provision={"serviceAccount": {"name": "api-hello"}}, name="hello"),
    minimal(networking={"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}})
    | {"emulator": {"enabled": True, "image": "emulator:1"}},
    minimal(autoscaling={"engine": "keda", "trigger": "sqs", "target_in_flight": 1.5}),
]
"""Values that break rules which chart.refusals does not break, or break them in another place."""

NEVER_NULL = (CHART / "files" / "never-null.txt").read_text().split()


def _stated_rules() -> list[re.Pattern[str]]:
    """Return a pattern for each message in the templates, as it looks when it is rendered."""
    lines = [
        line.removeprefix("- ")
        for template in sorted((CHART / "templates" / "validation").glob("_*.tpl"))
        for line in template.read_text().splitlines()
        if line.startswith("- ") and ": " in line
    ]
    return [re.compile(".+".join(re.escape(part) for part in re.split(r"\{\{.*?\}\}", line))) for line in lines]


def test_every_rule_that_a_template_states_is_broken_and_found_once(lint: Lint) -> None:
    stated = _stated_rules()
    assert len(stated) > 25
    found = lint(*(values for _, values, _ in REFUSALS), *MORE)
    texts = [each.text for each in found if each.code == "rule"]
    unseen = [rule.pattern for rule in stated if not any(rule.fullmatch(text) for text in texts)]
    # lint chooses the name of the release, so that it is always valid
    assert [rule for rule in unseen if "release" not in rule] == []


@pytest.mark.parametrize("values", MORE, ids=["cpu", "spread", "account", "emulator", "target"])
def test_a_broken_rule_is_one_finding_at_its_line(lint: Lint, values: dict[str, Any]) -> None:
    text = yaml.safe_dump(values, sort_keys=False)
    (found,) = [each for each in lint(text) if each.severity == "error"]
    path = tuple(int(index) if index else key for index, key in re.findall(r"\[(\d+)\]|([^.\[\]]+)", found.field))
    assert found.line == parse_document(text).positions[path].line


def test_a_key_that_must_have_a_value_is_one_finding_at_its_line(lint: Lint) -> None:
    paths = [path for path in NEVER_NULL if path not in {"pod", "pod.containers"}]  # the schema refuses these
    texts = [yaml.safe_dump(merged(minimal(), at(path, None)), sort_keys=False) for path in paths]
    errors = [each for each in lint(*texts) if each.severity == "error"]
    assert [each.field for each in errors] == paths
    for each, path in zip(errors, paths, strict=True):
        assert each.excerpt is not None
        assert each.excerpt.strip() == f"{path.rpartition('.')[2]}: null"
