"""How often a dispatcher looks for cancellations, and which of them it sees before a request begins."""

import asyncio
import dataclasses
import time
from datetime import UTC, datetime

from cortex_async import limits
from cortex_async.dispatcher.cancellations import Cancellations
from cortex_async.dispatcher.in_flight import Request
from cortex_async.queue.message import Message
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Cancellation, Progress, ResultMetadata, Status, rfc3339
from support.dispatching import CONFIG, Unanswering, in_flight, message, processor, taken
from support.memory import MemoryQueue, MemoryStore
from support.virtual_clock import never, on_virtual_clock

HOUR = 3600.0


def submitted(seconds_ago: float) -> Message:
    """A message of a request that was submitted so many seconds ago."""
    issued = RequestIds(CONFIG.cluster_name, CONFIG.name).issue(time.time() - seconds_ago)
    return dataclasses.replace(message(), id=issued)


def received(store: MemoryStore, seconds_ago: float = HOUR) -> Request:
    """A request that has just been received."""
    return taken(in_flight(MemoryQueue()), store, submitted(seconds_ago))


def cancel(store: MemoryStore, request: Request) -> None:
    """Cancel it, as a gateway does."""
    metadata = ResultMetadata(Status.CANCELLED, 0, rfc3339(datetime.now(UTC)))
    store.results[request.id] = (metadata, b"{}")
    store.cancellation = Cancellation(request.id, time.time())


async def may_begin(cancellations: Cancellations, request: Request) -> bool:
    """Whether a request may begin whose turn comes at once."""
    check = cancellations.check(request)
    return check is None or await check


@on_virtual_clock
async def test_one_look_does_for_all_that_are_received_within_half_a_second() -> None:
    store = MemoryStore()
    cancellations = Cancellations(store)
    for _ in range(10):
        assert await may_begin(cancellations, received(store))
        await asyncio.sleep(limits.CANCEL_LOOK_SECONDS / 20)
    assert store.calls == ["last_cancellation"]


@on_virtual_clock
async def test_a_request_is_not_kept_waiting_by_a_look_that_tells_of_no_cancellation() -> None:
    store = MemoryStore()
    cancellations = Cancellations(store)
    assert await may_begin(cancellations, received(store))
    assert cancellations.check(received(store)) is None


@on_virtual_clock
async def test_a_young_request_needs_no_look() -> None:
    store = MemoryStore()
    assert Cancellations(store).check(received(store, seconds_ago=0)) is None
    assert store.calls == []


@on_virtual_clock
async def test_a_cancelled_request_does_not_begin() -> None:
    store = MemoryStore()
    request, other = received(store), received(store)
    cancel(store, request)
    cancellations = Cancellations(store)
    assert not await may_begin(cancellations, request)
    assert await may_begin(cancellations, other)  # of which the bucket is asked too


@on_virtual_clock
async def test_whoever_began_by_a_look_before_the_cancellation_has_begun_when_it_is_confirmed() -> None:
    store = MemoryStore()
    cancellations = Cancellations(store)
    assert await may_begin(cancellations, received(store))
    request = received(store)
    cancel(store, request)
    await asyncio.sleep(
        limits.CANCEL_LOOK_SECONDS
    )  # the latest that this look does for; then TURN_SECONDS in hand
    assert cancellations.check(request) is None
    assert limits.CANCEL_LOOK_SECONDS + limits.TURN_SECONDS < limits.CANCEL_SETTLE_SECONDS
    await asyncio.sleep(limits.CANCEL_LOOK_SECONDS / 10)
    assert not await may_begin(cancellations, request)


@on_virtual_clock
async def test_an_answer_that_comes_too_late_is_not_believed() -> None:
    request_of: list[Request] = []

    async def slow_once() -> None:
        if store.calls.count("last_cancellation") == 1:
            await asyncio.sleep(limits.CANCEL_SETTLE_SECONDS)
            store.before.pop("last_cancellation")
            asyncio.get_running_loop().call_soon(cancel, store, request_of[0])  # after it was answered from

    store = MemoryStore(before={"last_cancellation": slow_once})
    request_of.append(received(store))
    assert not await may_begin(Cancellations(store), request_of[0])
    assert store.calls.count("last_cancellation") == 2


@on_virtual_clock
async def test_a_store_that_stays_slow_lets_requests_begin_at_last() -> None:
    async def slow() -> None:
        await asyncio.sleep(limits.CANCEL_SETTLE_SECONDS)

    store = MemoryStore(before={"last_cancellation": slow})
    assert await may_begin(Cancellations(store), received(store))
    assert store.calls.count("last_cancellation") == limits.CANCEL_LOOKS_AT_MOST


@on_virtual_clock
async def test_a_suspect_that_is_cancelled_while_it_waits_for_its_turn_never_begins() -> None:
    queue, store = MemoryQueue(), MemoryStore()
    requests = in_flight(queue)
    other, suspect = (taken(requests, store, submitted(HOUR), receive_count=2) for _ in range(2))
    assert await requests.take_slot_apart(other, alone=True)
    store.progresses[suspect.id] = Progress(1, is_suspect=True)
    container = Unanswering(never)
    processing = asyncio.create_task(processor(store, requests, container, MemoryQueue()).process(suspect))
    await asyncio.sleep(1)
    cancel(store, suspect)
    requests.remove(other)
    await asyncio.wait_for(processing, 60)
    assert (suspect.posted_at, queue.deleted) == (None, ["receipt"])


@on_virtual_clock
async def test_of_a_request_with_a_key_the_bucket_is_asked_without_a_look() -> None:
    store, requests = MemoryStore(), in_flight(MemoryQueue())
    checked = dataclasses.replace(submitted(HOUR), is_checked=True)
    request = taken(requests, store, checked)
    cancel(store, request)
    await processor(store, requests, Unanswering(never), MemoryQueue()).process(request)
    assert (request.posted_at, store.calls.count("last_cancellation")) == (None, 0)


@on_virtual_clock
async def test_a_request_in_flight_is_broken_off() -> None:
    store, requests = MemoryStore(), in_flight(MemoryQueue())
    request = taken(requests, store, submitted(HOUR))
    watching = asyncio.create_task(Cancellations(store).watch(requests))
    await asyncio.sleep(1)
    cancel(store, request)
    await asyncio.sleep(limits.CANCEL_WATCH_SECONDS)
    assert request.is_cancelled
    watching.cancel()
    await asyncio.wait({watching})
