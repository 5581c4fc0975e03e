"""Natural batching: while one call is under way the next items gather, and then go together.

A lone item goes at once, as without batching, and under load batches fill by themselves. Only a call that takes
over a second is no longer waited for: one that hangs must not hold up the others.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from cortex_async import limits
from cortex_async.aws.sqs import EntryFailure
from cortex_async.backoff import Backoff, Health, RetryPolicy
from cortex_async.errors import AwsRefused, AwsUnavailable

Item = TypeVar("Item")

log = logging.getLogger(__name__)


class Batcher(Generic[Item]):
    """Sends items by `call`, which takes at most ten and tells for each whether it was carried out.

    With `linger_seconds`, fewer than ten wait that long for others, or until `flush`.
    """

    def __init__(
        self,
        operation: str,
        call: Callable[[Sequence[Item]], Awaitable[list[EntryFailure | None]]],
        policy: RetryPolicy,
        size: Callable[[Item], int] = lambda _: 0,
        linger_seconds: float = 0.0,
        health: Health | None = None,
    ) -> None:
        self._operation = operation
        self._call = call
        self._policy = policy
        self._health = health
        self._size = size
        self._linger_seconds = linger_seconds
        self._lingering: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[Item, asyncio.Future[EntryFailure | None]]] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._prompt: dict[asyncio.Task[None], asyncio.TimerHandle] = {}  # those that may still be waited for
        self._scheduled = False

    async def add(self, item: Item) -> None:
        """Return once `item` was carried out, in one batch or another.

        Raises AwsRefused when the service refuses the item, unless the policy tries that again, and AwsUnavailable
        when the policy's time is over first, be it in line or in the middle of a call.
        """
        backoff = Backoff(self._policy.seconds, health=self._health)
        problem: AwsUnavailable | AwsRefused | None = None
        while True:
            try:
                failure = await self._carried_out(item, backoff.give_up_at, problem)
                if failure is None:
                    return
                if failure.sender_fault:
                    problem = AwsRefused(self._operation, 200, failure.code, failure.message)
                else:
                    problem = AwsUnavailable(self._operation, f"{failure.code}: {failure.message}")
            except (AwsUnavailable, AwsRefused) as error:
                problem = error
            if isinstance(problem, AwsRefused):
                if not self._policy.refusals:
                    raise problem
                log.error("AWS refuses a call; it is tried again", extra={"reason": str(problem)})
            await backoff.pause(problem)

    async def _carried_out(
        self, item: Item, give_up_at: float | None, problem: Exception | None
    ) -> EntryFailure | None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[EntryFailure | None] = loop.create_future()
        self._waiting.append((item, future))
        self._schedule(loop)
        limited = give_up_at is not None and self._policy.seconds
        timer = loop.call_at(give_up_at, self._give_up, future, problem) if give_up_at and limited else None
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()

    def _give_up(self, future: asyncio.Future[EntryFailure | None], problem: Exception | None) -> None:
        if not future.done():
            future.set_exception(problem or AwsUnavailable(self._operation, "no answer in time"))
        while self._waiting and self._waiting[0][1].done():  # a call that hangs must not keep them in memory
            self._waiting.popleft()

    def flush(self) -> None:
        """Let no item linger, from now on."""
        self._linger_seconds = 0.0
        self._end_lingering()

    def _end_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
            self._start_calls()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._linger_seconds and len(self._waiting) < limits.SQS_BATCH_ENTRIES:
            if self._lingering is None:
                self._lingering = loop.call_later(self._linger_seconds, self._end_lingering)
            return
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if not self._scheduled:  # not at once: what is added in the same turn of the loop goes together
            self._scheduled = True
            loop.call_soon(self._start_calls)

    def _start_calls(self) -> None:
        self._scheduled = False
        while (
            self._waiting
            and len(self._calls) < limits.BATCHES_AT_ONCE
            and (not (self._prompt or self._lingering) or len(self._waiting) >= limits.SQS_BATCH_ENTRIES)
        ):
            batch = self._next_batch()
            if batch:
                task = asyncio.create_task(self._run(batch))
                self._calls.add(task)
                loop = asyncio.get_running_loop()
                self._prompt[task] = loop.call_later(limits.PROMPT_SECONDS, self._lapse, task)
                task.add_done_callback(self._ended)

    def _lapse(self, task: asyncio.Task[None]) -> None:
        del self._prompt[task]
        self._start_calls()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if (timer := self._prompt.pop(task, None)) is not None:
            timer.cancel()
        self._start_calls()

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[EntryFailure | None]]]:
        batch: list[tuple[Item, asyncio.Future[EntryFailure | None]]] = []
        room = limits.SQS_BATCH_BYTES
        while self._waiting and len(batch) < limits.SQS_BATCH_ENTRIES:
            item, future = self._waiting[0]
            size = self._size(item)
            if batch and size > room:
                break
            self._waiting.popleft()
            if not future.done():  # who gave up waiting no longer wants it
                room -= size
                batch.append((item, future))
        return batch

    async def _run(self, batch: list[tuple[Item, asyncio.Future[EntryFailure | None]]]) -> None:
        try:
            results: Sequence[EntryFailure | BaseException | None] = await self._call([item for item, _ in batch])
        except Exception as error:
            results = [error] * len(batch)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
