"""Natural batching: who goes with whom, and what each learns of its own item."""

import asyncio
from collections.abc import Sequence

import pytest

from cortex_async import limits
from cortex_async.aws.sqs import EntryFailure
from cortex_async.backoff import PERSISTENT, SINGLE_TRY, RetryPolicy
from cortex_async.errors import AwsRefused, AwsUnavailable
from cortex_async.queue.batching import Batcher
from support.virtual_clock import on_virtual_clock, settled, within


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


def batcher_of(calls: Calls, policy: RetryPolicy = SINGLE_TRY, size: int = 0) -> Batcher[int]:
    return Batcher("Op", calls, policy, lambda _: size)


@on_virtual_clock
async def test_lone_item_goes_at_once() -> None:
    calls = Calls()
    calls.gate.set()
    await batcher_of(calls).add(1)
    assert calls.batches == [[1]]


@on_virtual_clock
async def test_items_gather_while_a_call_is_under_way() -> None:
    calls = Calls()
    batcher = batcher_of(calls)
    first = asyncio.create_task(batcher.add(1))
    await settled()
    others = [asyncio.create_task(batcher.add(item)) for item in (2, 3, 4)]
    await settled()
    assert calls.batches == [[1]]
    calls.gate.set()
    await asyncio.gather(first, *others)
    assert calls.batches == [[1], [2, 3, 4]]


@on_virtual_clock
async def test_full_batches_do_not_wait() -> None:
    calls = Calls()
    batcher = batcher_of(calls)
    tasks = [asyncio.create_task(batcher.add(item)) for item in range(25)]
    await settled()
    assert calls.batches == [list(range(10)), list(range(10, 20))]
    calls.gate.set()
    await asyncio.gather(*tasks)
    assert calls.batches[2:] == [[20, 21, 22, 23, 24]]


@on_virtual_clock
async def test_a_call_that_hangs_holds_up_nobody_but_its_own() -> None:
    calls = Calls()
    batcher = batcher_of(calls, PERSISTENT)
    hanging = asyncio.create_task(batcher.add(1))
    await settled()
    others = [asyncio.create_task(batcher.add(item)) for item in (2, 3)]
    await asyncio.sleep(0.99 * limits.PROMPT_SECONDS)
    assert calls.batches == [[1]]
    await within(limits.PROMPT_SECONDS, calls.second.wait())
    calls.gate.set()
    await asyncio.gather(hanging, *others)
    assert calls.batches == [[1], [2, 3]]


@on_virtual_clock
async def test_calls_that_hang_are_not_endlessly_many() -> None:
    calls = Calls()
    batcher = batcher_of(calls, PERSISTENT)
    items = []
    for item in range(20):
        items.append(asyncio.create_task(batcher.add(item)))
        await asyncio.sleep(2 * limits.PROMPT_SECONDS)
    assert len(calls.batches) == 8
    calls.gate.set()
    await asyncio.gather(*items)
    assert sorted(item for batch in calls.batches for item in batch) == list(range(20))


@on_virtual_clock
async def test_batch_stays_within_its_size() -> None:
    calls = Calls()
    calls.gate.set()
    batcher = batcher_of(calls, size=400_000)
    await asyncio.gather(*[batcher.add(item) for item in range(5)])
    assert calls.batches == [[0, 1], [2, 3], [4]]


@on_virtual_clock
async def test_each_item_learns_its_own_fate() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {
        2: [EntryFailure("ReceiptHandleIsInvalid", "no such", sender_fault=True)],
        3: [EntryFailure("InternalError", "again", sender_fault=False)],
    }
    batcher = batcher_of(calls, RetryPolicy(None))
    results = await asyncio.gather(*[batcher.add(item) for item in (1, 2, 3)], return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], AwsRefused)
    assert results[1].code == "ReceiptHandleIsInvalid"
    assert results[2] is None  # tried again, alone
    assert calls.batches == [[1, 2, 3], [3]]


@on_virtual_clock
async def test_refused_item_is_tried_again_where_the_policy_says_so() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {1: [EntryFailure("AccessDenied", "not now", sender_fault=True)]}
    await batcher_of(calls, PERSISTENT).add(1)
    assert calls.batches == [[1], [1]]


@on_virtual_clock
async def test_single_try_is_not_repeated() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {1: [AwsUnavailable("Op", "away")] * 3}
    with pytest.raises(AwsUnavailable):
        await batcher_of(calls).add(1)
    assert calls.batches == [[1]]


@on_virtual_clock
async def test_who_gave_up_is_not_sent() -> None:
    calls = Calls()
    batcher = batcher_of(calls)
    first = asyncio.create_task(batcher.add(1))
    await settled()
    second = asyncio.create_task(batcher.add(2))
    third = asyncio.create_task(batcher.add(3))
    await settled()
    second.cancel()
    calls.gate.set()
    await asyncio.gather(first, third)
    assert calls.batches == [[1], [3]]


@on_virtual_clock
async def test_time_ends_in_line_and_in_a_call() -> None:
    calls = Calls()
    batcher = batcher_of(calls, RetryPolicy(10))
    in_call = asyncio.create_task(batcher.add(1))
    await settled()
    in_line = asyncio.create_task(batcher.add(2))
    await asyncio.sleep(0.5 * limits.PROMPT_SECONDS)
    results = await within(10.001, asyncio.gather(in_call, in_line, return_exceptions=True))
    assert [type(result) for result in results] == [AwsUnavailable] * 2


@pytest.mark.parametrize("policy", [SINGLE_TRY, PERSISTENT])
@on_virtual_clock
async def test_single_try_and_endless_patience_wait_for_a_late_answer(policy: RetryPolicy) -> None:
    calls = Calls()
    batcher = batcher_of(calls, policy)
    task = asyncio.create_task(batcher.add(1))
    await asyncio.sleep(1000)
    assert not task.done()
    calls.gate.set()
    await task
    assert calls.batches == [[1]]


@on_virtual_clock
async def test_last_failure_is_told_when_the_time_ends() -> None:
    calls = Calls()
    calls.gate.set()
    calls.failures = {1: [EntryFailure("Throttled", "slow down", sender_fault=False)]}
    task = asyncio.create_task(batcher_of(calls, RetryPolicy(10)).add(1))
    await settled()
    calls.gate.clear()
    with pytest.raises(AwsUnavailable, match="slow down"):
        await within(10.001, task)
    assert calls.batches == [[1], [1]]
