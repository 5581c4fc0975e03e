"""The in_progress object: written late, counted when the attempt failed, taken back when it was cut short."""

import asyncio

import pytest

from cortex_async import limits
from cortex_async.dispatcher.progress_marker import ProgressMarker
from cortex_async.storage.protocol import Progress
from support.memory import MemoryStore
from support.virtual_clock import never, on_virtual_clock, within


@pytest.mark.parametrize(("part", "marks"), [(0.9, []), (1.1, [1])])
@on_virtual_clock
async def test_only_what_lasts_is_marked(part: float, marks: list[int]) -> None:
    store = MemoryStore()
    with ProgressMarker(store, "id").after_a_while(Progress(1)):
        await asyncio.sleep(part * limits.MARK_AFTER_SECONDS)
    await asyncio.sleep(10 * limits.MARK_AFTER_SECONDS)
    assert store.marks == marks


@on_virtual_clock
async def test_ensure_waits_for_a_late_write_and_does_not_repeat_it() -> None:
    store = MemoryStore(before={"mark_in_progress": lambda: asyncio.sleep(5)})
    marker = ProgressMarker(store, "id")
    with marker.after_a_while(Progress(1)):
        await asyncio.sleep(limits.MARK_AFTER_SECONDS + 1)
    await marker.ensure(Progress(1))
    assert (store.marks, store.calls) == ([1], ["mark_in_progress"])


@on_virtual_clock
async def test_nothing_is_taken_back_of_what_was_never_marked() -> None:
    store = MemoryStore()
    marker = ProgressMarker(store, "id")
    with marker.after_a_while(Progress(1)):
        await asyncio.sleep(limits.MARK_AFTER_SECONDS / 2)
    await marker.take_back(Progress(0), 4)
    assert store.calls == []


@on_virtual_clock
async def test_a_write_under_way_is_taken_back_when_it_is_through() -> None:
    store = MemoryStore(before={"mark_in_progress": lambda: asyncio.sleep(1)})
    marker = ProgressMarker(store, "id")
    with marker.after_a_while(Progress(1)):
        await asyncio.sleep(limits.MARK_AFTER_SECONDS + 0.5)
        await marker.take_back(Progress(0), 4)
    assert store.marks == [1, 0]


@on_virtual_clock
async def test_a_write_that_hangs_is_taken_back_too_since_it_may_have_arrived() -> None:
    async def hangs_once() -> None:
        if len(store.calls) == 1:
            await never()

    store = MemoryStore(before={"mark_in_progress": hangs_once})
    marker = ProgressMarker(store, "id")
    with marker.after_a_while(Progress(1)):
        await asyncio.sleep(limits.MARK_AFTER_SECONDS + 0.5)
        await within(4, marker.take_back(Progress(0), 4))
    assert store.marks == [0]


@on_virtual_clock
async def test_taking_back_ends_in_time_though_s3_is_silent() -> None:
    store = MemoryStore(before={"mark_in_progress": never})
    marker = ProgressMarker(store, "id")
    with marker.after_a_while(Progress(1)):
        await asyncio.sleep(limits.MARK_AFTER_SECONDS + 0.5)
        await within(4.001, marker.take_back(Progress(0), 4))
    assert store.marks == []


@on_virtual_clock
async def test_an_earlier_attempt_is_what_remains_of_one_that_is_taken_back() -> None:
    store = MemoryStore()
    marker = ProgressMarker(store, "id")
    await marker.ensure(Progress(3))
    await marker.take_back(Progress(2), 4)
    assert store.marks == [3, 2]


@on_virtual_clock
async def test_a_closed_marker_writes_no_more() -> None:
    store = MemoryStore(before={"mark_in_progress": lambda: asyncio.sleep(1)})
    marker = ProgressMarker(store, "id")
    with marker.after_a_while(Progress(1)):
        await asyncio.sleep(limits.MARK_AFTER_SECONDS + 0.5)
    marker.close()
    await asyncio.sleep(60)
    assert store.marks == []
