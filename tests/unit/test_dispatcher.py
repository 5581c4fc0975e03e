"""Shutdown of the dispatcher while S3 does not answer, and what a pod takes, or does with what it cannot take."""

import asyncio

from cortex_async.dispatcher.dispatcher import Dispatcher
from support.dispatching import CONFIG, Switch, Unanswering, message
from support.memory import MemoryQueue, MemoryStore
from support.virtual_clock import never, on_virtual_clock, settled, within


def dispatcher(queue: MemoryQueue, store: MemoryStore, readiness: Switch) -> Dispatcher:
    return Dispatcher(CONFIG, queue, MemoryQueue(), store, Unanswering(never), readiness)


async def silent() -> None:
    """Do not even end when told to, as an upload that is being aborted."""
    try:
        await never()
    finally:
        await never()


@on_virtual_clock
async def test_releases_in_time_what_waits_for_storage_though_it_was_told_to_stop() -> None:
    queue, store = MemoryQueue(), MemoryStore(before={"has_result": silent})
    queue.put(message().encode(), receive_count=1)
    dispatching = dispatcher(queue, store, Switch())
    running = asyncio.create_task(dispatching.run())
    await settled()
    assert store.calls == ["has_result"]
    running.cancel()
    await within(4, dispatching.drain(4))
    assert [delay for _, delay in queue.released] == [0]


@on_virtual_clock
async def test_what_a_long_poll_brings_after_the_pod_ceased_to_be_ready_is_given_back_at_once() -> None:
    queue, store, readiness = MemoryQueue(), MemoryStore(), Switch()
    running = asyncio.create_task(dispatcher(queue, store, readiness).run())
    await settled()
    readiness.switch(ready=False)
    queue.put(message().encode())
    await settled()
    assert [delay for _, delay in queue.released] == [0]
    assert store.calls == []
    running.cancel()


@on_virtual_clock
async def test_a_message_that_is_not_ours_is_neither_processed_nor_removed() -> None:
    queue, store = MemoryQueue(), MemoryStore()
    queue.put("not ours")
    running = asyncio.create_task(dispatcher(queue, store, Switch()).run())
    await settled()
    assert set(queue.calls) == {"receive"}
    assert store.calls == []
    running.cancel()


@on_virtual_clock
async def test_a_pod_takes_no_more_than_it_can_begin_before_it_knows_how_long_the_work_is() -> None:
    queue = MemoryQueue()
    slots = CONFIG.pod.max_concurrency
    for _ in range(slots + 10):
        queue.put(message().encode(), receive_count=1)
    running = asyncio.create_task(dispatcher(queue, MemoryStore(), Switch()).run())
    await asyncio.sleep(600)
    assert (await queue.depth()).active == slots
    assert queue.released == []  # each took a request from another pod for a while
    running.cancel()
