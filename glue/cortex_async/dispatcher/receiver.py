"""Keeps the web server busy: receives as many messages as there are free slots, and never waits for nothing."""

import asyncio
import logging
from collections.abc import Callable

from cortex_async.aws.retry import delay_seconds
from cortex_async.aws.sqs import MAX_BATCH_ENTRIES, Received
from cortex_async.dispatcher.hand import Hand
from cortex_async.dispatcher.probes import Readiness
from cortex_async.errors import AwsError
from cortex_async.queue.queue import Queue

log = logging.getLogger(__name__)

_RECEIVES_AT_ONCE = 4
_STORING_AT_MOST = 20  # answered requests whose results are not stored yet, beside those in the container


class Receiver:
    """Receives while the pod is ready, and hands each message to `deliver`."""

    def __init__(
        self,
        queue: Queue,
        hand: Hand,
        readiness: Readiness,
        max_concurrency: int,
        wait_seconds: int,
        deliver: Callable[[Received], None],
    ) -> None:
        self._queue = queue
        self._hand = hand
        self._readiness = readiness
        self._max_concurrency = max_concurrency
        self._wait_seconds = wait_seconds
        self._deliver = deliver
        self._changed = asyncio.Event()
        self._open: dict[asyncio.Task[None], int] = {}
        self._queue_is_full = False
        self._failures = 0

    def slot_freed(self) -> None:
        """Say that a request has left the container, or the hand."""
        self._changed.set()

    async def run(self) -> None:
        """Receive until cancelled; receives that are open then go on, see `finish`."""
        while True:
            await self._readiness.wait()
            self._changed.clear()
            if self._failures:
                await asyncio.sleep(delay_seconds(self._failures))
            self._start_receives()
            await self._changed.wait()

    async def finish(self) -> None:
        """Wait for the receives that are open, as SQS may have hidden messages for them; cancelled, cut them."""
        try:
            while self._open:
                await asyncio.wait(self._open)
        finally:
            for task in self._open:
                task.cancel()

    def _start_receives(self) -> None:
        """Open a receive if none is open; more only while full batches come in and fit."""
        while True:
            count = min(self._free_slots(), MAX_BATCH_ENTRIES)
            more = self._queue_is_full and count == MAX_BATCH_ENTRIES and len(self._open) < _RECEIVES_AT_ONCE
            if count < 1 or (self._open and not more):
                return
            task = asyncio.create_task(self._receive(count))
            self._open[task] = count
            task.add_done_callback(self._ended)

    def _free_slots(self) -> int:
        in_container = self._hand.in_container
        storing = len(self._hand) - in_container
        if storing >= max(_STORING_AT_MOST, self._max_concurrency):
            return 0
        return self._max_concurrency - in_container - sum(self._open.values())

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._open[task]
        self._changed.set()

    async def _receive(self, count: int) -> None:
        try:
            messages = await self._queue.receive(count, self._wait_seconds)
        except Exception as error:  # what is no AwsError is a defect, which must not end the receiving
            self._failures += 1
            facts = {"reason": str(error), "failures": self._failures}
            log.warning("could not receive", extra=facts, exc_info=not isinstance(error, AwsError))
            return
        self._failures = 0
        self._queue_is_full = len(messages) == count
        for message in messages:
            self._deliver(message)
