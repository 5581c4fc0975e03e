"""The memory that uploads share: none waits for ever, none is lost, and a slow upload holds up no other."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from cortex_async import limits
from cortex_async.config import parse
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from cortex_async.limits import S3_PART_BYTES
from cortex_async.storage.memory_budget import MemoryBudget, NoMemory, Part
from cortex_async.storage.request_memory import RequestMemory
from cortex_async.storage.source import Pieces
from support.api_document import api_document
from support.memory import MemoryQueue, MemoryStore
from support.processes import free_port
from support.virtual_clock import on_virtual_clock, settled


def now() -> float:
    return asyncio.get_running_loop().time()


async def all_of(budget: MemoryBudget, size: int) -> bool:
    """Whether exactly so much is free; it is free again afterwards."""
    await asyncio.wait_for(budget.take(size, may_exceed=False), 0.001)
    is_more = budget._free > 0
    budget.give_back(size)
    return not is_more


async def pieces(*of: bytes) -> AsyncIterator[bytes]:
    for each in of:
        yield each


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


class Line:
    """Takes bytes in tasks, and notes who got them in which order."""

    def __init__(self, budget: MemoryBudget) -> None:
        self.budget = budget
        self.served: list[str] = []

    async def join(self, name: str, size: int, *, may_exceed: bool = False) -> "asyncio.Task[None]":
        async def take() -> None:
            await self.budget.take(size, may_exceed=may_exceed)
            self.served.append(name)

        task = asyncio.create_task(take())
        await settled()
        return task


@on_virtual_clock
async def test_memory_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    line = Line(MemoryBudget(10))
    await line.join("first", 10)
    await line.join("large", 6)
    await line.join("small", 1)
    await line.join("last", 3)
    line.budget.give_back(5)
    await settled()
    assert line.served == ["first"]  # the small one does not overtake
    assert line.budget.is_waited_for
    line.budget.give_back(5)
    await settled()
    assert line.served == ["first", "large", "small", "last"]
    assert not line.budget.is_waited_for
    line.budget.give_back(10)
    assert await all_of(line.budget, 10)


@on_virtual_clock
async def test_payload_is_refused_after_its_wait_and_nothing_is_lost_by_it() -> None:
    line = Line(MemoryBudget(10))
    await line.join("holder", 10)
    refused = await line.join("refused", 6)
    await asyncio.sleep(10)
    behind = await line.join("behind", 4)
    line.budget.give_back(4)
    with pytest.raises(NoMemory):
        await refused
    assert now() == limits.UPLOAD_WAIT_SECONDS
    await behind  # the way is free for the one behind, at that very moment
    assert now() == limits.UPLOAD_WAIT_SECONDS
    line.budget.give_back(10)
    assert await all_of(line.budget, 10)


@on_virtual_clock
async def test_result_takes_more_than_there_is_after_its_wait_and_it_is_paid_back() -> None:
    line = Line(MemoryBudget(10))
    await line.join("holder", 10)
    await (await line.join("result", 6, may_exceed=True))
    assert now() == limits.RESULT_WAIT_SECONDS
    payload = await line.join("payload", 1)
    line.budget.give_back(6)
    await settled()
    assert not payload.done()  # there is none yet: more had been taken than there was
    line.budget.give_back(10)
    await payload
    line.budget.give_back(1)
    assert await all_of(line.budget, 10)


@on_virtual_clock
async def test_result_waits_for_parts_that_wait_for_s3_however_long_and_takes_no_more() -> None:
    budget = MemoryBudget(10)

    async def filled(size: int) -> Part:
        part = Part(budget, size, may_exceed=True)
        await part.fill(Pieces(pieces(bytes(size))))
        return part

    sent = (await filled(10)).handed_over()
    waiting = asyncio.create_task(filled(6))
    await asyncio.sleep(100 * limits.RESULT_WAIT_SECONDS)
    assert not waiting.done()
    sent.close()
    (await waiting).close()
    assert await all_of(budget, 10)


@on_virtual_clock
async def test_results_take_more_only_when_the_line_stands_still_and_one_at_a_time() -> None:
    line = Line(MemoryBudget(10))
    await line.join("holder", 10)
    results = [await line.join(name, 5, may_exceed=True) for name in "abcd"]
    await asyncio.sleep(limits.RESULT_WAIT_SECONDS - 1)
    line.budget.give_back(5)
    await settled()
    assert line.served == ["holder", "a"]
    await asyncio.sleep(limits.RESULT_WAIT_SECONDS - 1)
    assert len(line.served) == 2
    for number in (3, 4, 5):
        await asyncio.sleep(limits.RESULT_WAIT_SECONDS)
        assert len(line.served) == number
    await asyncio.wait(results)


@on_virtual_clock
async def test_upload_that_begins_keeps_what_it_has_while_others_wait_for_all_the_rest() -> None:
    budget = MemoryBudget(40)
    begun = [RequestMemory(budget) for _ in range(3)]
    for each in begun:
        await each.grow(4, most=4)
    line = Line(budget)
    await line.join("a part", 24)
    await line.join("another", 12)
    for each in begun:
        each.keep_small(3)
    await settled()
    assert line.served == ["a part"]
    more = RequestMemory(budget)
    with pytest.raises(NoMemory, match="too many payloads"):
        more.keep_small(12)  # over half of all: none of those that wait for a part could get one
    for each in (*begun, more):
        each.give_back()
    line.budget.give_back(24)
    await settled()
    assert line.served == ["a part", "another"]
    line.budget.give_back(12)
    assert await all_of(budget, 40)


@on_virtual_clock
async def test_who_is_cancelled_in_line_lets_a_smaller_one_go_first() -> None:
    line = Line(MemoryBudget(10))
    await line.join("holder", 9)
    large = await line.join("large", 5)
    small = await line.join("small", 1)
    assert not small.done()
    large.cancel()
    await asyncio.wait({large, small})
    assert large.cancelled()
    assert line.served == ["holder", "small"]
    line.budget.give_back(10)
    assert await all_of(line.budget, 10)


@on_virtual_clock
async def test_who_is_cancelled_at_the_moment_of_being_granted_loses_no_memory() -> None:
    line = Line(MemoryBudget(10))
    await line.join("holder", 10)
    granted = await line.join("granted", 6)
    behind = await line.join("behind", 7)
    line.budget.give_back(10)  # granted, but it has not run since
    granted.cancel()
    await asyncio.wait({granted, behind})
    assert granted.cancelled()
    assert line.served == ["holder", "behind"]
    line.budget.give_back(7)
    assert await all_of(line.budget, 10)


@on_virtual_clock
async def test_who_is_granted_at_the_moment_of_being_refused_keeps_it_and_it_counts_once() -> None:
    line = Line(MemoryBudget(10))
    await line.join("holder", 10)
    # this timer is older than that of the wait, and so ends before it in the same turn of the loop
    asyncio.get_running_loop().call_at(limits.UPLOAD_WAIT_SECONDS, line.budget.give_back, 10)
    task = await line.join("late", 6)
    await task
    assert now() == limits.UPLOAD_WAIT_SECONDS
    line.budget.give_back(6)
    assert await all_of(line.budget, 10)


@on_virtual_clock
async def test_bytes_are_taken_one_by_one_only_while_half_is_free() -> None:
    budget = MemoryBudget(10)
    assert budget.take_now(5)
    assert not budget.take_now(1)
    await budget.take(5, may_exceed=False)  # who needs all at once gets the rest
    budget.give_back(10)
    assert await all_of(budget, 10)


@pytest.mark.parametrize(("held", "most_of_quick"), [(40, 60), (50, 50)], ids=["byte by byte", "all at once"])
@on_virtual_clock
async def test_slow_part_makes_room_for_one_that_waits(held: int, most_of_quick: int) -> None:
    budget = MemoryBudget(100)
    await budget.take(held, may_exceed=False)
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(limits.PART_FILL_SECONDS + 1)
        yield b"x"  # nobody waits
        await go_on.wait()
        yield b"x"

    async def fill(source: AsyncIterator[bytes], most: int) -> bytes:
        with Part(budget, most, may_exceed=False) as part:
            await part.fill(Pieces(source))
            return bytes(part.body)

    task = asyncio.create_task(fill(slow(), 40))
    await asyncio.sleep(limits.PART_FILL_SECONDS + 2)
    assert not task.done()
    quick = asyncio.create_task(fill(pieces(bytes(20)), most_of_quick))
    await settled()
    assert not quick.done()
    go_on.set()
    with pytest.raises(NoMemory, match="too slowly"):
        await task
    assert await quick == bytes(20)
    budget.give_back(held)
    assert await all_of(budget, 100)


@pytest.mark.parametrize("end", ["filled", "cancelled", "source fails"])
@on_virtual_clock
async def test_part_gives_back_all_that_it_took_however_it_ends(end: str) -> None:
    budget = MemoryBudget(2 * S3_PART_BYTES)

    async def source() -> AsyncIterator[bytes]:
        yield bytes(1000)
        if end == "cancelled":
            await asyncio.Event().wait()
        if end == "source fails":
            raise ValueError
        yield bytes(2 * S3_PART_BYTES)

    async def upload() -> None:
        with Part(budget, S3_PART_BYTES, may_exceed=False) as part:
            await part.fill(Pieces(source()))

    task = asyncio.create_task(upload())
    await settled()
    task.cancel()
    await asyncio.wait({task})
    assert (task.cancelled(), bool(task.cancelled() or task.exception())) == (end == "cancelled", end != "filled")
    assert await all_of(budget, 2 * S3_PART_BYTES)


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, [0]),
        (1, [1]),
        (S3_PART_BYTES - 1, [S3_PART_BYTES - 1]),
        (S3_PART_BYTES, [S3_PART_BYTES]),
        (S3_PART_BYTES + 1, [S3_PART_BYTES, 1]),
        (2 * S3_PART_BYTES, [S3_PART_BYTES, S3_PART_BYTES]),
        (2 * S3_PART_BYTES + 7, [S3_PART_BYTES, S3_PART_BYTES, 7]),
    ],
)
@pytest.mark.parametrize("piece", [300_007, S3_PART_BYTES, 12_000_000])
@pytest.mark.parametrize("is_known", [True, False])
@on_virtual_clock
async def test_source_is_cut_into_full_parts_and_no_empty_one(
    size: int, parts: list[int], piece: int, is_known: bool
) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    source = Pieces(in_pieces(data, piece))
    budget = MemoryBudget()
    found: list[bytes] = []
    is_complete = False
    while not is_complete:
        most = min(size - source.size, S3_PART_BYTES) if is_known else S3_PART_BYTES
        with Part(budget, most, may_exceed=False) as part:
            is_complete = await part.fill(source)
            found.append(bytes(part.body))
    assert list(map(len, found)) == parts
    assert b"".join(found) == data
    assert source.size == size
    assert await all_of(budget, limits.UPLOAD_MEMORY_BYTES)


@on_virtual_clock
async def test_empty_pieces_are_neither_an_end_nor_a_part() -> None:
    source = Pieces(pieces(b"", b"a", b"", b"b", b""))
    room = bytearray(10)
    for start in (0, 1):
        assert not await source.is_at_end()
        assert source.ahead() == await source.read_into(memoryview(room)[start:]) == 1
    assert room.startswith(b"ab")
    assert await source.is_at_end()


async def sent(budget: MemoryBudget) -> Part:
    """A full part that S3 has."""
    part = Part(budget, S3_PART_BYTES, may_exceed=False)
    await part.fill(Pieces(pieces(b"x" * S3_PART_BYTES)))
    part.close(is_sent=True)
    return part


@on_virtual_clock
async def test_the_pages_of_a_sent_part_serve_the_next_one_and_count_once() -> None:
    budget = MemoryBudget(4 * S3_PART_BYTES)
    before = await sent(budget)
    with Part(budget, 10, may_exceed=False) as part:
        assert part._buffer is before._buffer
        await part.fill(Pieces(pieces(b"y")))
        assert bytes(part.body) == b"y"  # nothing of the one before
    assert await all_of(budget, 4 * S3_PART_BYTES)


@on_virtual_clock
async def test_pages_that_somebody_can_still_read_serve_nobody_else() -> None:
    budget = MemoryBudget(4 * S3_PART_BYTES)
    part = Part(budget, S3_PART_BYTES, may_exceed=False)
    await part.fill(Pieces(pieces(b"x" * S3_PART_BYTES)))
    body = part.body  # as a connection of a try that failed may hold it
    part.close(is_sent=True)
    with Part(budget, S3_PART_BYTES, may_exceed=False) as other:
        await other.fill(Pieces(pieces(b"y" * S3_PART_BYTES)))
    assert bytes(body[:2]) == b"xx"
    assert await all_of(budget, 4 * S3_PART_BYTES)


@on_virtual_clock
async def test_pages_that_are_kept_are_given_back_before_others_need_them() -> None:
    budget = MemoryBudget(4 * S3_PART_BYTES)
    before = await sent(budget)
    await budget.take(3 * S3_PART_BYTES + 1, may_exceed=False)
    assert before._buffer.closed
    budget.give_back(3 * S3_PART_BYTES + 1)
    before = await sent(budget)
    budget.drop_spares()
    assert before._buffer.closed
    assert await all_of(budget, 4 * S3_PART_BYTES)


async def test_submission_without_memory_is_told_to_come_again() -> None:
    async def no_memory() -> None:
        raise NoMemory("too many large payloads are coming at once")

    config = parse(api_document({"name": "api", "gateway": {"endpoint": "/api"}}))
    queue = MemoryQueue()
    gateway = Gateway(config, MemoryStore(before={"put_payload": no_memory}), 60)
    gateway.queue = queue
    port = free_port()
    async with (
        listening(gateway.application(), port),
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{port}/api", data=b"x" * 400_000) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        error = (await response.json())["error"]
    assert error["code"] == "busy"
    assert "nothing was accepted" in error["message"]
    assert queue.sent == []


async def test_parts_of_calls_that_failed_do_not_stay_in_memory() -> None:
    """Their errors hold them in reference cycles, which the garbage collector may leave for long."""
    budget = MemoryBudget(10 * limits.S3_PART_BYTES)
    gc.collect()
    gc.disable()
    try:
        before = anonymous_mib()
        for _ in range(12):
            with pytest.raises(OSError, match="no answer"):
                await failed_upload(budget)
        assert anonymous_mib() - before <= (limits.MAPPED_PARTS + 2) * 5
    finally:
        gc.enable()


async def failed_upload(budget: MemoryBudget) -> None:
    with Part(budget, limits.S3_PART_BYTES, may_exceed=False) as part:
        await part.fill(Pieces(pieces(bytes(limits.S3_PART_BYTES))))
        fail(part.body)


def fail(body: memoryview) -> None:
    error = OSError("no answer")
    raise error  # this frame holds the body and the error, which holds the frame


def anonymous_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux does not tell")
