"""Receives as many messages as the container can begin soon, while the pod is ready."""

import asyncio
import logging
from collections.abc import AsyncIterator

from cortex_async import limits
from cortex_async.backoff import delay_seconds
from cortex_async.dispatcher.in_flight import InFlight
from cortex_async.dispatcher.pace import Pace
from cortex_async.dispatcher.readiness import Readiness
from cortex_async.errors import AwsError
from cortex_async.queue.protocol import Queue, Received

log = logging.getLogger(__name__)


class Receiver:
    """Keeps receives open, and yields what they bring."""

    def __init__(self, queue: Queue, in_flight: InFlight, readiness: Readiness, pace: Pace) -> None:
        self._queue = queue
        self._in_flight = in_flight
        self._readiness = readiness
        self._pace = pace
        self._open: dict[asyncio.Task[list[Received]], tuple[int, float]] = {}  # asked for, and when
        self._failures = 0
        self._paused_until = 0.0  # by the loop's clock

    async def messages(self) -> AsyncIterator[Received]:
        """Receive for ever. When the iteration ends, open receives go on: see `remaining`."""
        changed = self._in_flight.changed
        while True:
            if not self._open:
                await self._readiness.wait()
            changed.clear()
            if self._readiness.is_ready:
                self._start_receives()
            await changed.wait()
            done = [each for each in self._open if each.done()]
            for task in done:
                for message in self._result(task):
                    yield message
            if done:
                await asyncio.sleep(0)  # so that they have their slots, or wait for one, before more is asked for

    async def remaining(self) -> AsyncIterator[Received]:
        """Yield what open receives still bring: SQS may have hidden messages for them."""
        while self._open:
            await asyncio.wait(self._open, return_when=asyncio.FIRST_COMPLETED)
            for task in [each for each in self._open if each.done()]:
                for message in self._result(task):
                    yield message

    def close(self) -> None:
        """Cut the receives that are still open."""
        for task in self._open:
            task.cancel()

    def _start_receives(self) -> None:
        """Open a receive if none is open; more only while there is a backlog, and for full batches."""
        now = asyncio.get_running_loop().time()
        if now < self._paused_until or self._in_flight.is_full:
            return
        while len(self._open) < (limits.RECEIVES_AT_ONCE if self._pace.has_backlog else 1):
            asked = sum(count for count, _ in self._open.values())
            ask = self._pace.next_receive(self._in_flight.load(asked))
            if ask is None or (self._open and ask.count < limits.SQS_BATCH_ENTRIES):
                return
            task = asyncio.create_task(self._queue.receive(ask.count, ask.wait_seconds))
            self._open[task] = (ask.count, now)
            task.add_done_callback(lambda _: self._in_flight.changed.set())

    def _result(self, task: asyncio.Task[list[Received]]) -> list[Received]:
        asked, began = self._open.pop(task)
        try:
            messages = task.result()
        except Exception as error:  # what is no AwsError is a defect, which must not end the receiving
            self._failures += 1
            self._pause(delay_seconds(self._failures, limits.RECEIVE_PAUSE_SECONDS))
            facts = {"reason": str(error), "failures": self._failures}
            log.warning("could not receive", extra=facts, exc_info=not isinstance(error, AwsError))
            return []
        self._failures = 0
        self._pace.received(asked, len(messages), asyncio.get_running_loop().time() - began)
        return messages

    def _pause(self, seconds: float) -> None:
        """Open no receive for a while, but go on with what others bring."""
        loop = asyncio.get_running_loop()
        self._paused_until = loop.time() + seconds
        loop.call_at(self._paused_until, self._in_flight.changed.set)
