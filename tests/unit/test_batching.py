"""Natural batching: who goes with whom, and what each learns of its own item."""

import asyncio
from collections.abc import Sequence

import pytest

from cortex_async.aws.sqs import EntryFailure
from cortex_async.errors import AwsRefused, AwsUnavailable
from cortex_async.queue import batching
from cortex_async.queue.batching import Batcher


class Calls:
    """Stands for a batch operation: keeps its batches, and waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.second = asyncio.Event()
        self.failures: dict[int, list[EntryFailure | Exception]] = {}

    async def __call__(self, items: Sequence[int]) -> list[EntryFailure | None]:
        self.batches.append(list(items))
        if len(self.batches) > 1:
            self.second.set()
        await self.gate.wait()
        results: list[EntryFailure | None] = []
        for item in items:
            failure = self.failures[item].pop(0) if self.failures.get(item) else None
            if isinstance(failure, Exception):
                raise failure
            results.append(failure)
        return results


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_lone_item_goes_at_once() -> None:
    calls = Calls()
    calls.gate.set()
    await Batcher("Op", calls).add(1, 0)
    assert calls.batches == [[1]]


async def test_items_gather_while_a_call_is_under_way() -> None:
    calls = Calls()
    batcher: Batcher[int] = Batcher("Op", calls)
    first = asyncio.create_task(batcher.add(1, 0))
    await settle()
    others = [asyncio.create_task(batcher.add(item, 0)) for item in (2, 3, 4)]
    await settle()
    assert calls.batches == [[1]]
    calls.gate.set()
    await asyncio.gather(first, *others)
    assert calls.batches == [[1], [2, 3, 4]]


async def test_full_batches_do_not_wait() -> None:
    calls = Calls()
    batcher: Batcher[int] = Batcher("Op", calls)
    tasks = [asyncio.create_task(batcher.add(item, 0)) for item in range(25)]
    await settle()
    assert calls.batches == [list(range(10)), list(range(10, 20))]
    calls.gate.set()
    await asyncio.gather(*tasks)
    assert calls.batches[2:] == [[20, 21, 22, 23, 24]]


async def test_a_call_that_hangs_holds_up_nobody_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_PROMPT_SECONDS", 0.01)
    calls = Calls()
    batcher: Batcher[int] = Batcher("Op", calls)
    hanging = asyncio.create_task(batcher.add(1, None))
    await settle()
    others = [asyncio.create_task(batcher.add(item, None)) for item in (2, 3)]
    await asyncio.wait_for(calls.second.wait(), 60)
    calls.gate.set()
    await asyncio.gather(hanging, *others)
    assert calls.batches == [[1], [2, 3]]


async def test_calls_that_hang_are_not_endlessly_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_PROMPT_SECONDS", 0.0)
    calls = Calls()
    batcher: Batcher[int] = Batcher("Op", calls)
    items = []
    for item in range(20):
        items.append(asyncio.create_task(batcher.add(item, None)))
        await asyncio.sleep(0.01)
    assert len(calls.batches) == 8
    calls.gate.set()
    await asyncio.gather(*items)
    assert sorted(item for batch in calls.batches for item in batch) == list(range(20))


async def test_batch_stays_within_its_size() -> None:
    calls = Calls()
    calls.gate.set()
    batcher: Batcher[int] = Batcher("Op", calls, size=lambda item: 400_000)
    await asyncio.gather(*[batcher.add(item, 0) for item in range(5)])
    assert calls.batches == [[0, 1], [2, 3], [4]]


async def test_each_item_learns_its_own_fate() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {
        2: [EntryFailure("ReceiptHandleIsInvalid", "no such", sender_fault=True)],
        3: [EntryFailure("InternalError", "again", sender_fault=False)],
    }
    batcher: Batcher[int] = Batcher("Op", calls)
    results = await asyncio.gather(*[batcher.add(item, None) for item in (1, 2, 3)], return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], AwsRefused)
    assert results[1].code == "ReceiptHandleIsInvalid"
    assert results[2] is None  # tried again, alone
    assert calls.batches == [[1, 2, 3], [3]]


async def test_patience_ends() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {1: [AwsUnavailable("Op", "away")] * 3}
    with pytest.raises(AwsUnavailable):
        await Batcher("Op", calls).add(1, 0)
    assert calls.batches == [[1]]


async def test_who_gave_up_is_not_sent() -> None:
    calls = Calls()
    batcher: Batcher[int] = Batcher("Op", calls)
    first = asyncio.create_task(batcher.add(1, 0))
    await settle()
    second = asyncio.create_task(batcher.add(2, 0))
    third = asyncio.create_task(batcher.add(3, 0))
    await settle()
    second.cancel()
    calls.gate.set()
    await asyncio.gather(first, third)
    assert calls.batches == [[1], [3]]


async def test_patience_ends_in_line_and_in_a_call() -> None:
    calls = Calls()
    batcher: Batcher[int] = Batcher("Op", calls)
    in_call = asyncio.create_task(batcher.add(1, 0.1))
    await settle()
    in_line = asyncio.create_task(batcher.add(2, 0.1))
    patient = asyncio.create_task(batcher.add(3, None))
    single_try = asyncio.create_task(batcher.add(4, 0))
    async with asyncio.timeout(2):
        results = await asyncio.gather(in_call, in_line, return_exceptions=True)
    assert [type(result) for result in results] == [AwsUnavailable] * 2
    calls.gate.set()
    await asyncio.gather(patient, single_try)
    assert calls.batches == [[1], [3, 4]]


async def test_last_failure_is_told_when_patience_ends() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {1: [EntryFailure("Throttled", "slow down", sender_fault=False)]}
    batcher: Batcher[int] = Batcher("Op", calls)
    task = asyncio.create_task(batcher.add(1, 0.3))
    await settle()
    calls.gate.clear()
    async with asyncio.timeout(2):
        with pytest.raises(AwsUnavailable, match="slow down"):
            await task
