"""The Python client and the `cortex` command against a real gateway, dispatcher and web server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import cortex
from cortex import exceptions
from support.kubernetes_api import ApiServer, serving
from support.operator_process import RunningOperator, add_api
from support.stack import Stack


@pytest.fixture
def operator(shared_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningOperator]:
    """An operator that knows the API, and the shell of somebody who uses it."""
    server = ApiServer()
    add_api(server, shared_stack.name)
    with serving(server, tmp_path) as cluster:
        base = shared_stack.url.removesuffix(f"/{shared_stack.name}")
        running = RunningOperator(cluster, tmp_path, {"endpointUrl": base})
        monkeypatch.setenv("CORTEX_CLI_CONFIG_DIR", str(running.cli_folder))
        monkeypatch.delenv("CORTEX_VERSION", raising=False)
        yield running
        running.process.stop()


def test_requests_are_submitted_and_their_results_read(shared_stack: Stack, operator: RunningOperator) -> None:
    client = cortex.client()
    result = client.submit(shared_stack.name, {"n": 1}, query={"a": "b"}).result(timeout=60)
    assert (result["size"], result["query"]) == (len(b'{"n": 1}'), "a=b")
    sizes = [each["size"] for each in client.map(shared_stack.name, ["a", "ab", b"abc"], timeout=60)]
    assert sizes == [1, 2, 3]
    failed = client.submit(shared_stack.name, b"", query={"status": "400", "answer": "not so"})
    with pytest.raises(exceptions.RequestFailed) as raised:
        failed.result(timeout=60)
    assert raised.value.document["status_code"] == 400
    with pytest.raises(exceptions.RequestNotFound):
        client.request(shared_stack.name, "00000000-0000-8000-8000-000000000000").status()


def test_the_command_does_the_same(shared_stack: Stack, operator: RunningOperator) -> None:
    done = operator.cortex("submit", shared_stack.name, '{"n": 1}', "--wait", "60")
    assert (done.returncode, json.loads(done.stdout)["size"]) == (0, len(b'{"n": 1}'))
    submitted = operator.cortex("submit", shared_stack.name, "plain text")
    result = operator.cortex("result", shared_stack.name, submitted.stdout.strip(), "--timeout", "60")
    headers = dict(json.loads(result.stdout)["headers"])
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert operator.cortex("result", shared_stack.name, "nothing").returncode == 1
