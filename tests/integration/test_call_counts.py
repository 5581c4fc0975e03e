"""What a request costs in calls to S3 and SQS, counted by the stand-in of the bench; never in time."""

import asyncio
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.client import LoadClient, until
from bench.processes import BenchStack, StandIn

SQS = ("SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
MakeApi = Callable[..., BenchStack]


@pytest.fixture
def make_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApi]:
    """Start an API from changes to the usual api.json; its first long poll is open, and is not counted."""
    for name, value in StandIn.credentials.items():
        monkeypatch.setenv(name, value)
    stand_in = StandIn(tmp_path)
    stacks: list[BenchStack] = []

    def make(changes: Mapping[str, Any] | None = None) -> BenchStack:
        stack = BenchStack(stand_in, tmp_path / "api", changes)
        stacks.append(stack)
        stack.all()
        while "ReceiveMessage" not in calls(stack):
            time.sleep(0.01)
        return stack

    yield make
    for stack in stacks:
        stack.stop()
    stand_in.process.kill()


def calls(stack: BenchStack) -> dict[str, int]:
    """Calls by operation since the last time."""
    return {operation: count["calls"] for operation, count in stack.emulator.reset().items()}


async def run(stack: BenchStack, client: LoadClient, payload: bytes = b'"x"', query: str = "") -> str:
    """Submit one request, wait without polling until it has ended, and return its id."""
    total = stack.served() + 1
    (request_id,) = await client.submit(payload, 1, query)
    await ended(stack, total)
    return request_id


async def ended(stack: BenchStack, total: int) -> None:
    await until(f"{total} requests to reach the container", lambda: stack.served() == total)
    await until("their messages to be deleted", stack.is_drained)


async def test_request_costs_one_put_and_its_poll_one_get(make_api: MakeApi) -> None:
    stack = make_api()
    found = []
    async with LoadClient(stack, 1) as client:
        for _ in range(5):
            (document,) = await client.poll([await run(stack, client)])
            assert document["status"] == "completed"
            found.append(calls(stack))
    # Where CPU is short a request may take over 250 ms, and so leave a sign of being in progress, or
    # its poll may come before the next long poll begins: not for all five.
    expected = {"PutObject", "GetObject", "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"}
    assert dict.fromkeys(expected, 1) in found


async def test_payload_over_the_inline_limit_costs_one_put_and_one_get_more(make_api: MakeApi) -> None:
    stack = make_api()
    found = []
    async with LoadClient(stack, 1) as client:
        for _ in range(3):
            await client.poll([await run(stack, client, b"x" * 300_000)])
            made = calls(stack)
            found.append((made["PutObject"], made["GetObject"], made["DeleteObject"]))
    assert (2, 2, 1) in found


async def test_request_that_takes_long_costs_one_put_more(make_api: MakeApi) -> None:
    stack = make_api()
    async with LoadClient(stack, 1) as client:
        await run(stack, client, query="?sleep=6")
    made = calls(stack)
    assert made["PutObject"] == 2
    assert "GetObject" not in made


async def test_poll_of_a_request_that_has_not_ended_costs_no_put_and_no_list(make_api: MakeApi) -> None:
    stack = make_api()
    stack.latest("dispatcher").signal(signal.SIGSTOP)
    async with LoadClient(stack, 1) as client:
        ids = await client.submit(b'"x"', 1)
        calls(stack)
        (document,) = await client.poll(ids)
    assert document["status"] == "in_queue"
    assert calls(stack) == {"GetObject": 1, "HeadObject": 1}


async def test_sqs_calls_are_shared_under_load(make_api: MakeApi) -> None:
    stack = make_api({"pod": {"maxConcurrency": 100}})
    stack.emulator.set_latency(100)
    dispatcher = stack.latest("dispatcher")
    dispatcher.signal(signal.SIGSTOP)
    async with LoadClient(stack, 100) as client:
        ids = await client.submit(b'"x"', 200)
        dispatcher.signal(signal.SIGCONT)
        await ended(stack, 200)
        documents = await client.poll(ids)
    assert all(document["status"] == "completed" for document in documents)
    made = calls(stack)
    assert sum(made.get(operation, 0) for operation in SQS) <= 0.4 * 200, made
    assert made["GetObject"] == 200


async def test_heartbeat_is_batched(make_api: MakeApi) -> None:
    """Extended every third of the visibility timeout, ten to a call."""
    stack = make_api({"pod": {"maxConcurrency": 40}, "queue": {"visibilityTimeoutSeconds": 6}})
    async with LoadClient(stack, 40) as client:
        await client.submit(b'"x"', 40, "?sleep=5")
        await ended(stack, 40)
    assert stack.served() == 40
    beats = 3
    assert 4 <= calls(stack)["ChangeMessageVisibilityBatch"] <= beats * 40 / 10


async def test_idle_pod_makes_three_calls_a_minute(make_api: MakeApi) -> None:
    """A receive is open for 20 s; one more may begin within the time looked at."""
    stack = make_api()
    seconds = 8
    await asyncio.sleep(seconds)
    made = calls(stack)
    assert made.pop("ReceiveMessage", 0) <= math.ceil(seconds / 20)
    assert not made
