"""How local mode reads helm's output, rendered containers, JSON documents and log lines."""

import pytest

from cortex_async_tools.chart.rendering import helm_message
from cortex_async_tools.local.once import raw_fields
from cortex_async_tools.local.output import format_log_line
from cortex_async_tools.local.rendered_release import environment, expand

ENV = {"A": "1", "B_2": "$(A)"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [  # the cases of Kubernetes' own test of third_party/forked/golang/expansion
        ("$(A)", "1"),
        ("x-$(A)-y$(A)", "x-1-y1"),
        ("$(B_2)", "$(A)"),
        ("$(NOWHERE)", "$(NOWHERE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$A", "$A"),
        ("$", "$"),
        ("$$", "$"),
        ("$(A", "$(A"),
        ("$(", "$("),
        ("$()", "$()"),
        ("$($(A))", "$($(A))"),
        ("${A}", "${A}"),
    ],
)
def test_expands_references_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, ENV) == expanded


def test_variables_refer_to_those_before_them() -> None:
    env = [
        {"name": "LATER", "value": "$(PORT)"},
        {"name": "PORT", "value": "80"},
        {"name": "URL", "value": "http://localhost:$(PORT)"},
        {"name": "EMPTY"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
    ]

    assert environment({"env": env}) == {
        "LATER": "$(PORT)",
        "PORT": "80",
        "URL": "http://localhost:80",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "Error: execution error at (cortex-async/templates/rules.yaml:6:6): wrong:\n- name: too long\n\n"
            "Use --debug flag to render out invalid YAML\n",
            "wrong:\n- name: too long",
        ),
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\n"
            "cortex-async:\n- at '/pod/port': got string, want integer\n",
            "wrong values:\n- pod.port: got string, want integer",
        ),
        (
            'Error: failed parsing --set data: key "portx" has no value\n',
            'failed parsing --set data: key "portx" has no value',
        ),
    ],
)
def test_passes_on_what_helm_has_against_the_values(stderr: str, message: str) -> None:
    assert helm_message(stderr) == message


def test_keeps_the_text_of_json_fields() -> None:
    text = '{ "id" : "a", "result": [12345678901234567890, 1.10, {"a" :"}"}] , "n": 1e400 }'

    assert raw_fields(text) == {
        "id": '"a"',
        "result": '[12345678901234567890, 1.10, {"a" :"}"}]',
        "n": "1e400",
    }
    assert raw_fields("{}") == {}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            '{"time": "x", "level": "info", "message": "taken", "component": "c", "api": "a", "id": 1}',
            "taken id=1",
        ),
        ('{"level": "warning", "message": "slow"}', "warning: slow"),
        ('{"level": "error", "message": "bad", "traceback": "T\\n  at"}', "error: bad\nT\n  at"),
        ('{"greeting": "hello"}', '{"greeting": "hello"}'),
        ("[1]", "[1]"),
        ("5", "5"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
    ],
)
def test_words_the_glues_log_for_people(line: str, text: str) -> None:
    assert format_log_line(line) == text
