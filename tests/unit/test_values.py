"""Problems in a values file name the field, its line, what was expected and found, and the nearest name."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_async_tools.chart.helm_yaml import dump_yaml, load_manifest
from cortex_async_tools.chart.values_file import (
    ChartNotFoundError,
    Finding,
    ValuesError,
    check_values,
    field_path,
    find_chart,
    merge,
)
from cortex_async_tools.chart.values_file.document import parse_document

PROBE = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": ["http_get"]}, {"required": ["tcp_socket"]}],
    "properties": {
        "http_get": {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}}},
        "tcp_socket": {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}}},
    },
}
CONTAINER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "image"],
    "properties": {
        "name": {"type": "string", "not": {"enum": ["gateway"]}, "description": "Name; gateway is reserved."},
        "image": {"type": "string"},
        "command": {"type": ["array", "null"], "items": {"type": "string"}},
        "env": {
            "type": "object",
            "description": "Variables; CORTEX_ is reserved.",
            "additionalProperties": False,
            "patternProperties": {"^CORTEX_": False, "^[A-Za-z_]*$": {"type": "string"}},
        },
        "labels": {"propertyNames": {"not": {"pattern": "/"}}},
        "cpu": {"anyOf": [{"type": "number", "minimum": 0.02}, {"type": "string", "pattern": "^[0-9]+m$"}]},
        "readiness_probe": {"$ref": "#/definitions/probe"},
        "volume": {
            "oneOf": [
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["kind", "size"],
                    "properties": {"kind": {"const": "memory"}, "size": {"type": "integer"}},
                },
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["kind", "path"],
                    "properties": {"kind": {"const": "host"}, "path": {"type": "string"}},
                },
            ]
        },
    },
}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 10},
        "kind": {"enum": ["AsyncAPI"]},
        "pod": {
            "type": "object",
            "additionalProperties": False,
            "required": ["port", "containers"],
            "properties": {
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                "max_concurrency": {"type": "integer"},
                "containers": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/container"}},
            },
        },
        "autoscaling": {"additionalProperties": False, "properties": {"max_replicas": {"type": "integer"}}},
        "aws": {"type": "object", "required": ["region"], "properties": {"region": {"type": "string"}}},
    },
    "definitions": {"container": CONTAINER, "probe": PROBE},
}
DEFAULTS = "kind: AsyncAPI\npod:\n  port: 8080\n  containers: []\n"

Check = Callable[[str], list[Finding]]


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "chart"
    folder.mkdir()
    (folder / "Chart.yaml").write_text("name: chart\n")
    (folder / "values.yaml").write_text(DEFAULTS)
    (folder / "values.schema.json").write_text(json.dumps(SCHEMA))
    return folder


@pytest.fixture
def check(tmp_path: Path, chart: Path) -> Check:
    def check(text: str) -> list[Finding]:
        file = tmp_path / "values.yaml"
        file.write_text(textwrap.dedent(text))
        return check_values(file, chart)

    return check


def container(*lines: str) -> str:
    return "\n".join(["pod:", "  containers:", "  - name: web", *(f"    {line}" for line in ["image: x", *lines])])


def test_accepts_a_file_that_the_defaults_complete(check: Check) -> None:
    assert check(container()) == []


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (container("imge: x"), "pod.containers[0].imge", "unknown field; did you mean `image`?"),
        (container("Command: []"), "pod.containers[0].Command", "unknown field; did you mean `command`?"),
        ("compute: {cpu: 1}\n" + container(), "compute", "the compute of each of pod.containers took its place"),
        ("handler: {type: python}\n" + container(), "handler", "before Cortex 0.36; pod.containers took its"),
        ("predictor: {type: python}\n" + container(), "predictor", "before Cortex 0.36; pod.containers took its"),
        (
            "autoscaling: {max_replica_concurrency: 4}\n" + container(),
            "autoscaling.max_replica_concurrency",
            "before Cortex 0.36; pod.max_concurrency took its place",
        ),
        (
            container("env: {DB_PASSWORD: 12345678}"),
            "pod.containers[0].env.DB_PASSWORD",
            "text, got a value that is",
        ),
        (
            container("zzz: 1"),
            "pod.containers[0].zzz",
            "unknown field; expected one of command, cpu, env, image, labels, name, readiness_probe, volume",
        ),
        (
            "pod:\n  maxConcurrency: 2\n  containers: [{name: a, image: x}]",
            "pod.maxConcurrency",
            "max_concurrency",
        ),
        ("pod:\n  containers: [{name: a, imge: x}]", "pod.containers[0].imge", "did you mean `image`?"),
        ("pod:\n  containers: [{name: a}]", "pod.containers[0].image", "required, but missing"),
        ("name: a", "pod.containers", "expected at least 1 entry, got []"),
        ("pod: {containers: null}", "pod.containers", "required, but missing"),
        (container("command: python x.py"), "pod.containers[0].command", 'a list or null, got "python x.py"'),
        (container("command: [x, 80]"), "pod.containers[0].command[1]", "expected text, got 80; put it in quotes"),
        (container("env: {A: true}"), "pod.containers[0].env.A", "expected text, got true; put it in quotes"),
        (container("env: {CORTEX_A: b}"), "pod.containers[0].env.CORTEX_A", "not allowed (Variables; CORTEX_ is"),
        (
            container("env: {a b: c}"),
            'pod.containers[0].env["a b"]',
            "unknown field; expected a name of another form",
        ),
        (
            container("labels: {a/b: c}"),
            'pod.containers[0].labels["a/b"]',
            "expected anything but text of this form",
        ),
        (
            "kind: AsyncApi\n" + container(),
            "kind",
            'expected "AsyncAPI", got "AsyncApi"; did you mean `AsyncAPI`?',
        ),
        (
            "name: Hello\n" + container(),
            "name",
            "expected lower-case letters, digits and `-`, a letter first and no",
        ),
        ("name: a-longer-name\n" + container(), "name", 'text of at most 10 characters, got "a-longer-name"'),
        ("pod: {port: 0, containers: [{name: a, image: x}]}", "pod.port", "expected at least 1, got 0"),
        ("pod: {port: '80', containers: [{name: a, image: x}]}", "pod.port", 'expected a whole number, got "80"'),
        (
            "pod: {containers: [{name: gateway, image: x}]}",
            "pod.containers[0].name",
            'expected anything but "gateway", got "gateway" (Name; gateway is reserved)',
        ),
        ("pod: {containers: [5]}", "pod.containers[0]", "expected fields, got 5"),
    ],
)
def test_names_the_field_what_was_expected_and_what_came(check: Check, text: str, path: str, message: str) -> None:
    findings = check(text)

    assert [finding.path for finding in findings] == [path]
    assert message in findings[0].message


@pytest.mark.parametrize(
    ("line", "path", "message"),
    [
        ("readiness_probe: {}", "", "expected exactly one of `http_get`, `tcp_socket`, got none of them"),
        (
            "readiness_probe: {http_get: {port: 1}, tcp_socket: {port: 1}}",
            "",
            "expected exactly one of `http_get`, `tcp_socket`, got `http_get` and `tcp_socket`",
        ),
        ("readiness_probe: {http_get: {}}", ".http_get.port", "required, but missing"),
        ("cpu: [1]", "", "expected a number or text, got [1]"),
        ("cpu: 0.001", "", "expected at least 0.02, got 0.001"),
        ("cpu: 1 core", "", 'expected text of another form, got "1 core"'),
        ("volume: {kind: host, pth: /x}", ".pth", "unknown field; did you mean `path`?"),
        ("volume: {kind: memory, size: big}", ".size", 'expected a whole number, got "big"'),
    ],
)
def test_explains_the_alternative_that_was_meant(check: Check, line: str, path: str, message: str) -> None:
    findings = check(container(line))

    assert [str(each) for each in findings] == [f"pod.containers[0].{line.partition(':')[0]}{path}: {message}"]


def test_reports_every_problem_at_once_in_the_order_of_the_file(check: Check) -> None:
    findings = check("kind: x\npod:\n  prt: 1\n  containers:\n  - nme: a\n    image: 5\naws: {}\n")

    assert [(each.path, each.line, each.column) for each in findings] == [
        ("kind", 1, 1),
        ("pod.prt", 3, 3),
        ("pod.containers[0].nme", 5, 5),
        ("pod.containers[0].image", 6, 5),
        ("aws.region", 7, 1),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: [1", 1, 6, "not valid YAML: while parsing a flow sequence"),
        ("pod:\n\tport: 1", 2, 1, "YAML indents with spaces, not tabs"),
        ("pod:\n  port:\t1", 2, 8, "expected a space, got a tab"),
        ("a: '\u2028 \x85'\nb:\r\n- c\rd: ]", 4, 4, "expected the node content"),
        ("a: '\u2028 \x85'\na: 1", 2, 1, "written twice; the first is in line 1"),
        ("a: " + "[" * 5000, None, None, "nested too deeply"),
        ("a: !!int x" + "9" * 5000, 1, 4, 'expected int, got "x999'),
        ("pod: {}\npod: {}", 2, 1, "written twice; the first is in line 1"),
        ("- name: a\n  kind: AsyncAPI", 1, 1, "`cortex-async import` makes a values file of each"),
        ("hello", 1, 1, 'expected fields such as `pod:`, got "hello"'),
        ("name: a\n---\nname: b", 2, 1, "expected a single document"),
        ("pod: *nothing", 1, 6, "undefined alias 'nothing'"),
        ("pod: &a [*a]", 1, 6, "an alias contains itself"),
        ("name: !secret x", 1, 7, "could not determine a constructor for the tag '!secret'"),
        ("? [a]\n: 1", 1, 3, "a key must be text"),
    ],
)
def test_says_where_a_file_is_not_yaml(
    check: Check, text: str, line: int | None, column: int | None, message: str
) -> None:
    (finding,) = check(text)

    assert (finding.line, finding.column) == (line, column)
    assert message in finding.message
    assert len(finding.message) < 200


def test_aliases_that_mean_too_much_are_not_written_out(check: Check) -> None:
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    (finding,) = check("\n".join(["a0: &a0 [1, 2]", *levels]))

    assert "more than 100,000 fields and list entries" in finding.message


def test_reports_a_file_that_cannot_be_read(tmp_path: Path, chart: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: \xff")

    assert check_values(tmp_path / "nothing.yaml", chart)[0].message == "no such file"
    assert "got a directory" in check_values(tmp_path, chart)[0].message
    assert check_values(binary, chart)[0].message == "expected UTF-8 text, got the byte 0xff"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-23", "2026-11-23"),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        ("0o17", 15),
        ("08", 8.0),
        ("1_000", 1000),
        ("y", True),
        ("off", False),
        ("=", "="),
        ("<<", "<<"),
        ("~", None),
        ('"1"', "1"),
    ],
)
def test_reads_scalars_as_helm_does(text: str, value: object) -> None:
    assert parse_document(f"field: {text}").values == {"field": value}
    assert load_manifest(f"field: {text}") == [{"field": value}]
    assert load_manifest(dump_yaml({"field": value})) == [{"field": value}]


def test_reads_keys_as_text() -> None:
    assert parse_document("{on: 1, 2: 3, null: 4}").values == {"true": 1, "2": 3, "null": 4}


def test_reads_anchors_and_merge_keys(check: Check) -> None:
    (finding,) = check(
        "pod:\n  containers:\n  - &a {name: a, image: x}\n  - {<<: *a, name: b}\n  - {<<: *a, nam: c}\n"
    )

    assert finding.path == "pod.containers[2].nam"


def test_overlay_counts_as_part_of_the_file(tmp_path: Path, chart: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(container() + "\naws: {}\n")

    assert check_values(file, chart, {"aws": {"region": "here"}}) == []


def test_error_lists_every_finding_with_its_place(tmp_path: Path) -> None:
    error = ValuesError(
        Path("values.yaml"), [Finding("name", 3, 1, "wrong"), Finding("", None, None, "no such file")]
    )

    assert str(error) == (
        "2 problems in the values file\n  values.yaml:3:1: name: wrong\n  values.yaml: no such file"
    )


def test_chart_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChartNotFoundError, match=r"Chart\.yaml"):
        find_chart(tmp_path)


@pytest.mark.parametrize(
    ("over", "under", "merged"),
    [
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [1]}),
        ({"a": None}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": {"b": None}}, {"a": {"b": 1}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}),
        ({"a": None}, {}, {"a": None}),
    ],
)
def test_merges_as_helm_does(over: dict[str, object], under: dict[str, object], merged: dict[str, object]) -> None:
    assert merge(over, under) == merged


def test_paths_quote_keys_that_are_not_names() -> None:
    assert field_path(("pod", "containers", 0, "env", "A.B")) == 'pod.containers[0].env["A.B"]'
