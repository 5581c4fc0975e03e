"""The heartbeat: at fixed times, for every receipt handle, whatever SQS answers."""

import asyncio

import pytest

from cortex_async.queue.protocol import Received
from support.dispatching import in_flight, taken
from support.memory import MemoryQueue, MemoryStore
from support.virtual_clock import never, on_virtual_clock


def now() -> float:
    return asyncio.get_running_loop().time()


@on_virtual_clock
async def test_heartbeat_that_sqs_keeps_waiting_does_not_delay_the_next() -> None:
    began: list[float] = []

    async def silent() -> None:
        began.append(now())
        await never()

    requests = in_flight(MemoryQueue(before={"extend": silent}), visibility_seconds=60)
    taken(requests, MemoryStore())
    beating = asyncio.create_task(requests.heartbeat())
    await asyncio.sleep(130)
    beating.cancel()
    assert began == pytest.approx([20, 40, 60, 80, 100, 120])


@on_virtual_clock
async def test_a_defect_does_not_end_the_heartbeat() -> None:
    async def broken() -> None:
        raise RuntimeError("a defect")

    queue = MemoryQueue(before={"extend": broken})
    requests = in_flight(queue, visibility_seconds=60)
    taken(requests, MemoryStore())
    beating = asyncio.create_task(requests.heartbeat())
    await asyncio.sleep(65)
    assert queue.calls == ["extend"] * 5  # tried again at each beat, until it succeeds
    assert not beating.done()
    beating.cancel()


@on_virtual_clock
async def test_a_duplicate_delivery_is_extended_and_deleted_with_the_first() -> None:
    queue = MemoryQueue()
    requests = in_flight(queue, visibility_seconds=60)
    request = taken(requests, MemoryStore())
    assert requests.find_duplicate(request.message, Received("other", "receipt-2", "", 1))
    assert requests.find_duplicate(request.message, Received("message", "receipt-3", "", 2))  # a newer handle
    beating = asyncio.create_task(requests.heartbeat())
    await asyncio.sleep(30)
    beating.cancel()
    await requests.delete(request)
    assert sorted(queue.extended) == sorted(queue.deleted) == ["receipt-2", "receipt-3"]


@on_virtual_clock
async def test_a_request_is_extended_in_time_and_a_short_one_not_at_all() -> None:
    queue = MemoryQueue()
    requests = in_flight(queue, visibility_seconds=60)
    beating = asyncio.create_task(requests.heartbeat())
    await asyncio.sleep(5)
    short = taken(requests, MemoryStore())
    await asyncio.sleep(19)
    requests.remove(short)
    taken(requests, MemoryStore())
    await asyncio.sleep(19)
    assert queue.extended == []
    await asyncio.sleep(21)  # 40 of the 60 seconds
    assert queue.extended == ["receipt"]
    beating.cancel()
