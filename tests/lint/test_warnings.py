"""Each warning is found at its line, only where it applies, and can be suppressed."""

from collections.abc import Callable

import pytest

from cortex_async_tools.lint.checks import CHECKS, CROSS_FILE, why
from cortex_async_tools.lint.diagnostic import Diagnostic

Lint = Callable[..., list[Diagnostic]]

ONE = "name: web, image: 'web:1', compute: {mem: 64Mi}"
TWO = "name: two, image: 'two:1', compute: {mem: 64Mi}"
READY = "readiness_probe: {tcp_socket: {port: 8080}}"


def values(*containers: str, pod: str = "", top: str = "") -> str:
    """Return a values file. Other fields of the pod are in line 2; each container has its own line below."""
    listed = [f"  - {{{each}}}" for each in containers]
    lines = ["pod:", *([f"  {pod}"] if pod else []), "  containers:", *listed]
    return "\n".join([*lines, "aws: {region: eu-west-1, bucket: results}", top, ""])


CASES = [
    ("CA001", values("name: web, image: web, compute: {mem: 1Gi}"), 3),
    ("CA001", values("name: web, image: 'host:5000/web:latest', compute: {mem: 1Gi}"), 3),
    ("CA002", values(ONE, TWO), 2),
    ("CA003", values("name: web, image: 'web:1', compute: {cpu: 1}"), 3),
    ("CA004", values(f"{ONE}, readiness_probe: {{http_get: {{port: 81, path: /ok}}}}"), 3),
    ("CA005", values(ONE, f"{TWO}, readiness_probe: {{tcp_socket: {{port: 81}}}}"), 2),
    ("CA008", values(f"{ONE}, env: {{MAX_BATCH_SIZE: '8'}}"), 3),
    ("CA008", values(f"{ONE}, args: ['--enable_batching=true']"), 3),
    ("CA009", values(f"{ONE}, env: {{HF_TOKEN: hf_x}}"), 3),
    ("CA009", values(f"{ONE}, env: {{DATABASE: 'postgres://me:word@host/x'}}"), 3),
    ("CA010", values(ONE, pod="port: 80"), 2),
    ("CA011", values(f"{ONE}, command: [sh, -c, 'echo; sudo ls']"), 3),
    ("CA012", values(f"{ONE}, command: [sh, -c, 'pip install x && serve']"), 3),
    ("CA013", values("name: web, image: 'python:3.12', compute: {mem: 1Gi}"), 3),
    ("CA013", values("name: web, image: 'host:5000/library/python:3.12', compute: {mem: 1Gi}"), 3),
    ("CA014", values(f"{ONE}, command: [python server.py]"), 3),
    ("CA015", values(f"{ONE}, command: [serve, $CORTEX_PORT]"), 3),
    ("CA016", values(f"{ONE}, {READY[:-1]}, initial_delay_seconds: 60}}, liveness_probe: {{tcp_socket: {{port: 8080}}}}"), 3),  # noqa: E501
    ("CA017", values(ONE, top="podDisruptionBudget: {enabled: true, maxUnavailable: 0}"), 5),
    ("CA018", values(f"{ONE}, readiness_probe: {{http_get: {{port: 8080}}}}"), 3),
    ("CA019", values("name: web, image: 'web:1', compute: {mem: 1Gi, cpu: 500}"), 3),
    ("CA021", values(ONE, top="autoscaling: {engine: none, window: 30s}"), 5),
    ("CA021", values(ONE, top="autoscaling: {trigger: sqs, window: 30s}"), 5),
    ("CA021", values(ONE, top="gateway: {replicas: 3}"), 5),
    ("CA021", values(ONE, top="gateway: {autoscaling: {enabled: false, maxReplicas: 3}}"), 5),
    ("CA021", values(ONE, top="gitops: {enabled: true}\nautoscaling: {engine: none}\ntest: {payload: x}"), 7),
    ("CA021", values(ONE, top="monitoring: {rules: {queueWaitSeconds: 5}}"), 5),
    ("CA020", values(f"{ONE}, pre_stop: {{exec: {{command: [sleep, '1']}}}}"), 3),
]  # fmt: skip

QUIET = [
    values(ONE),
    values("name: web, image: 'host:5000/web:1', compute: {mem: null}"),
    values(f"{ONE}, {READY}", TWO),
    values(ONE, top="autoscaling: {window: 30s, max_replicas: 3}"),
    values(ONE, top="autoscaling: {engine: none, init_replicas: 3}"),
    values(ONE, top="gateway: {replicas: 3, autoscaling: {enabled: false}}"),
    values(ONE, top="autoscaling: {engine: none, window: 60s}"),
    values(f"{ONE}, args: ['--health', '81'], readiness_probe: {{tcp_socket: {{port: 81}}}}"),
    values(f"{ONE}, env: {{MAX_BATCH_SIZE: '8'}}", pod="max_concurrency: 8"),
    values(f"{ONE}, env: {{MAX_TOKENS: '8', TOKEN: $(OTHER)}}"),
    values(f"{ONE}, command: [sh, -c, 'serve --port $CORTEX_PORT']"),
    values(f"{ONE}, readiness_probe: {{http_get: {{port: 8080, path: /healthz}}}}"),
    values(f"{ONE}, args: ['=', '<<', 'yes', '1:30', '2001-01-01']"),
    values(f"{ONE}, pre_stop: {{exec: {{command: [sh, -c, 'sleep 1; wget -qO- localhost:15000/drain']}}}}"),
]


@pytest.mark.parametrize(
    ("code", "text", "line"), CASES, ids=[f"{code}-{i}" for i, (code, *_) in enumerate(CASES)]
)
def test_a_warning_is_found_at_its_line_and_suppressed_there(lint: Lint, code: str, text: str, line: int) -> None:
    (found,) = lint(text)
    assert (found.code, found.line, found.severity) == (code, line, "warning")
    lines = text.splitlines()
    lines.insert(line - 1, f"# cortex-async: ignore {code} as it is meant")
    assert lint("\n".join(lines)) == []
    assert lint(f"{text}# cortex-async: ignore-file {code}\n") == []


@pytest.mark.parametrize("text", QUIET)
def test_nothing_is_said_without_a_reason(lint: Lint, text: str) -> None:
    assert [each.text for each in lint(text)] == []


def test_every_warning_has_a_case_and_says_why() -> None:
    assert {code for code, *_ in CASES} == CHECKS.keys()
    assert all(len(why(code)) > 40 for code in [*CHECKS, *CROSS_FILE])


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("CA006", "name: one", "name: one"),
        ("CA007", "networking: {endpoint: /a/b}", "networking: {endpoint: a/b}"),
        ("CA007", "name: a", "networking: {endpoint: a}"),
    ],
)
def test_what_two_files_take_is_said_of_both_until_one_ignores_it(
    lint: Lint, code: str, first: str, second: str
) -> None:
    files = values(ONE, top=first), values(ONE, top=second)
    assert [(each.code, each.line) for each in lint(*files)] == [(code, 5), (code, 5)]
    assert lint(files[0], f"{files[1]}# cortex-async: ignore-file {code}\n") == []
    assert lint(files[0]) == []


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# cortex-async: ignore CA001", "there is no CA001"),
        ("# cortex-async: ignore", "expected the code"),
        ("# cortex-async: ignroe CA001", "got `ignroe`"),
        ("# cortex-async: ignore CA999", "no warning CA999"),
    ],
)
def test_a_comment_that_ignores_nothing_is_a_warning(lint: Lint, comment: str, message: str) -> None:
    found = lint(f"{values(ONE)}{comment}\n")
    assert found
    assert {each.code for each in found} == {"CA000"}
    assert message in found[0].message


@pytest.mark.parametrize(
    "text",
    [
        values(f"{ONE}, env: {{HF_TOKEN: hf_x}}"),
        values(f"{ONE}, env: {{HF_TOKEN: hf_x, a b: c}}"),
        values(f"{ONE}, env: {{HF_TOKEN: [hf_x]}}"),
        values(f"{ONE}, env: {{HF_TOKEN: 1, HF_TOKEN: hf_x}}"),
        values(ONE, top="extraEnv:\n- name: HF_TOKEN\n  value: [hf_x]"),
    ],
)
def test_a_secret_is_not_shown_again(lint: Lint, text: str) -> None:
    found = lint(text)
    assert found
    assert "hf_x" not in repr(found)
