"""What is told to S3 and SQS of a request whose attempt ended without an answer, when they are slow or refuse."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import pytest

from cortex_async import limits
from cortex_async.storage.protocol import Progress, ResultMetadata, Status, rfc3339
from support.dispatching import Unanswering, breaking, in_flight, message, processor, taken
from support.memory import MemoryQueue, MemoryStore
from support.virtual_clock import never, on_virtual_clock, settled


def late_once(by: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Hold up the first call only."""
    calls: list[None] = []

    async def before() -> None:
        calls.append(None)
        if len(calls) == 1:
            await by()

    return before


async def cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


@on_virtual_clock
async def test_a_mark_that_could_not_be_written_is_written_before_the_request_is_given_back() -> None:
    queue, store = MemoryQueue(), MemoryStore(before={"mark_in_progress": late_once(never)})
    requests = in_flight(queue)
    request = taken(requests, store)
    container = breaking(after_seconds=limits.MARK_AFTER_SECONDS + 1)
    await processor(store, requests, container, MemoryQueue()).process(request)
    assert store.marks == [1]
    assert store.calls.count("mark_in_progress") == 2
    assert [handle for handle, _ in queue.released] == ["receipt"]
    assert len(requests) == 0


@on_virtual_clock
async def test_a_late_mark_does_not_count_an_attempt_that_a_shutdown_cut_short() -> None:
    queue, store = MemoryQueue(), MemoryStore(before={"mark_in_progress": late_once(lambda: asyncio.sleep(1))})
    requests = in_flight(queue)
    request = taken(requests, store)
    processing = processor(store, requests, Unanswering(never), MemoryQueue())
    task = asyncio.create_task(processing.process(request))
    await asyncio.sleep(limits.MARK_AFTER_SECONDS + 0.5)
    assert (store.calls.count("mark_in_progress"), store.marks) == (1, [])  # under way
    await cancelled(task)
    await processing.give_back(request, 60)
    assert store.marks == [1, 0]
    assert queue.released == [("receipt", 0)]


@on_virtual_clock
async def test_a_failed_attempt_counts_though_its_dead_letter_was_not_sent_before_a_shutdown() -> None:
    queue, store, letters = MemoryQueue(), MemoryStore(), MemoryQueue(before={"send": never})
    requests = in_flight(queue)
    request = taken(requests, store, receive_count=3)
    store.attempts[request.id] = 2
    processing = processor(store, requests, breaking(), letters)
    task = asyncio.create_task(processing.process(request))
    await settled()
    assert letters.calls == ["send"]
    await cancelled(task)
    await processing.give_back(request, 60)
    assert store.progresses[request.id] == Progress(3)
    assert queue.released == [("receipt", 0)]


@pytest.mark.parametrize("dead_letter", [False, True])
@on_virtual_clock
async def test_no_dead_letter_when_another_attempt_has_a_result(dead_letter: bool) -> None:
    """And the payload stays when that result is a dead letter's, which refers to it."""
    queue, store, letters = MemoryQueue(), MemoryStore(), MemoryQueue()
    requests = in_flight(queue)
    request = taken(requests, store, message(None, 5), receive_count=3)
    store.attempts[request.id] = 2
    store.payloads[request.id] = b"12345"

    async def broken_while_another_ends() -> None:
        metadata = ResultMetadata(Status.FAILED, 2, rfc3339(datetime.now(UTC)), dead_letter)
        store.results[request.id] = (metadata, b"{}")
        raise aiohttp.ServerDisconnectedError

    await processor(store, requests, Unanswering(broken_while_another_ends), letters).process(request)
    assert letters.sent == []
    assert queue.deleted == ["receipt"]
    assert (request.id in store.payloads) == dead_letter
    assert store.results[request.id][1] == b"{}"


@on_virtual_clock
async def test_the_last_attempt_that_breaks_is_failed_and_dead_lettered() -> None:
    queue, store, letters = MemoryQueue(), MemoryStore(), MemoryQueue()
    requests = in_flight(queue)
    request = taken(requests, store, message(None, 5), receive_count=3)
    store.attempts[request.id] = 2
    store.payloads[request.id] = b"12345"
    await processor(store, requests, breaking(), letters).process(request)
    metadata, _ = store.results[request.id]
    assert (metadata.status, metadata.attempt, metadata.dead_letter) == (Status.FAILED, 3, True)
    assert letters.sent == [(request.id, request.message.encode())]
    assert queue.deleted == ["receipt"]
    assert store.payloads == {request.id: b"12345"}
