"""`cortex-async dead-letters`: look at requests that were given up, send them again, throw them away."""

import io
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cortex_async import config
from cortex_async.provision.command import provision
from cortex_async.queue.message import Message
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Status
from cortex_async_tools import cli
from cortex_async_tools.chart.values_file import find_chart
from cortex_async_tools.local.rendered_release import render_release
from support.dead_letters import give_up, put, send
from support.processes import Emulator, wait_until
from support.stack import BUCKET, Client, Stack

HELLO = Path(__file__).parents[2] / "values" / "hello-world" / "values.yaml"


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """An API of which nothing runs: only its queues and its bucket are there."""
    made = make_stack({"queue": {"maxAttempts": 1}})
    made.provision()
    return made


def run(stack: Stack, *words: str) -> int:
    return cli.main(["dead-letters", *words, "--config", str(stack.config_file)])


async def test_redriven_request_completes_under_its_id(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = make_stack({"queue": {"maxAttempts": 1}})
    stack.all()
    client = Client(stack, http)
    payload = os.urandom(300_000)  # in the bucket
    request_id = await client.submit(payload, query="?sleep=600&once")
    wait_until("the request to start", lambda: request_id in stack.started())
    stack.latest("web").signal(signal.SIGKILL)
    document = await client.ended(request_id)
    assert document["error"]["code"] == "connection_broken"
    wait_until("the dead letter", lambda: stack.dead_letters() == 1)
    stack.web_server()

    assert run(stack, "redrive") == 0
    assert capsys.readouterr().out == "1 sent again, 0 dropped because completed, 0 left\n"
    document = await client.ended(request_id)
    assert document["status"] == "completed"
    assert document["result"]["size"] == len(payload)
    wait_until("nothing to be left", lambda: stack.dead_letters() == 0 and stack.queue_depth() == (0, 0))
    assert f"{request_id}/payload" not in stack.objects()


def test_list_shows_what_is_known_and_no_payload(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    days = {datetime.now(UTC).date()}
    failed, lost = give_up(stack), give_up(stack, status=None)
    days.add(datetime.now(UTC).date())
    send(stack, "not ours, secret")
    assert run(stack, "list") == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "SUBMITTED", "RECEIVES", "RESULT"]
    found = {line.split()[0]: line.split(maxsplit=3) for line in lines}
    assert found[failed][2:] == ["1", "failed"]
    assert datetime.fromisoformat(found[failed][1]).date() in days
    assert found[lost][2:] == ["1", "no result"]
    assert sorted(line[3] for line in found.values()) == ["failed", "no result", "not of this API"]
    assert "secret" not in str(lines)
    assert stack.queue_depth(stack.document["queue"]["deadLetterName"]) == (3, 0)  # visible again


def test_list_shows_all_of_many(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    ids = {give_up(stack, status=None) for _ in range(35)}
    assert run(stack, "list") == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]} == ids


def test_redrive_leaves_what_is_not_of_this_api(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    give_up(stack)
    send(stack, "not ours")
    other = Message(RequestIds("test", "another").issue(), (), "", b"", 0)
    send(stack, other.encode())
    assert run(stack, "redrive") == 0
    assert "1 sent again, 0 dropped because completed, 2 left" in capsys.readouterr().out
    assert stack.queue_depth() == (1, 0)
    assert stack.dead_letters() == 2


def test_redrive_removes_the_failed_result_and_the_sign_of_attempts(stack: Stack) -> None:
    give_up(stack)
    assert len(stack.objects()) == 2
    assert run(stack, "redrive") == 0
    assert stack.objects() == []


def test_redrive_drops_a_request_that_completed_after_all(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    request_id = give_up(stack, status=Status.COMPLETED)
    put(stack, request_id, "payload", {})
    assert run(stack, "redrive") == 0
    assert "0 sent again, 1 dropped because completed, 0 left" in capsys.readouterr().out
    assert (stack.dead_letters(), stack.queue_depth()) == (0, (0, 0))
    assert f"{request_id}/result" in stack.objects()
    assert f"{request_id}/payload" not in stack.objects()


def test_redrive_says_that_a_request_older_than_results_are_kept_is_not_found_until_it_runs(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    days = stack.document["storage"]["retentionDays"]
    old = give_up(stack, age_days=days + 1)
    give_up(stack, age_days=days - 1)
    assert run(stack, "redrive") == 0
    count, *told = capsys.readouterr().out.splitlines()
    assert count == "2 sent again, 0 dropped because completed, 0 left"
    assert told == [f"{old} is older than the {days} days of storage.retentionDays: GET answers 404 until it runs"]
    assert stack.queue_depth() == (2, 0)


def test_redrive_of_one_request_leaves_the_others(stack: Stack) -> None:
    wanted, _ = give_up(stack), give_up(stack)
    assert run(stack, "redrive", "--id", wanted) == 0
    assert stack.dead_letters() == 1
    found = stack.emulator.client("sqs")
    url = found.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    (message,) = found.receive_message(QueueUrl=url)["Messages"]
    assert wanted in message["Body"]


def test_redrive_of_a_request_that_is_not_there_fails(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = RequestIds("test", stack.name).issue()
    assert run(stack, "redrive", "--id", unknown) == 1
    assert unknown in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("", 1, 1)])
def test_purge_asks_first(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    give_up(stack)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert run(stack, "purge") == code
    assert stack.dead_letters() == left


def test_purge_asks_nothing_when_told_yes(stack: Stack) -> None:
    give_up(stack)
    assert run(stack, "purge", "--yes") == 0
    assert stack.dead_letters() == 0


def test_api_is_named_by_its_values_file(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    values = tmp_path / "values.yaml"
    values.write_text(HELLO.read_text().replace("my-cortex-bucket", BUCKET))
    provision(config.parse(render_release(values, find_chart(), {}, []).api), create_bucket=True)
    assert cli.main(["dead-letters", "list", str(values)]) == 0
    assert capsys.readouterr().out.startswith("ID ")


@pytest.mark.parametrize("words", [[], ["values.yaml", "--config", "api.json"]])
def test_api_must_be_named_in_one_way(words: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dead-letters", "list", *words]) == 1
    assert "--config" in capsys.readouterr().err


def test_missing_queue_is_told_without_a_traceback(
    make_stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(make_stack(), "list") == 1
    assert "does not exist" in capsys.readouterr().err
