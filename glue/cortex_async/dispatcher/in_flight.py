"""The requests in flight: received, not ended, and kept hidden from other pods by a heartbeat."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from cortex_async import limits
from cortex_async.dispatcher.pace import Load, Pace
from cortex_async.dispatcher.progress_marker import ProgressMarker
from cortex_async.errors import AwsError
from cortex_async.queue.message import Message
from cortex_async.queue.protocol import Queue, Received

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Request:
    """One request in flight.

    `receive_count` is SQS's. `receipts` maps message ids to receipt handles: a duplicate delivery adds one.
    `attempt` is the number of this attempt, from 1 on. `has_failed` says that the attempt counts also when the
    request is given back. `began_at` is the time, by the loop's clock, since which it takes one of the
    `max_concurrency` slots; None before and after. `extended_at` is when its visibility was extended last.
    """

    message: Message
    receive_count: int
    receipts: dict[str, str]
    marker: ProgressMarker
    attempt: int = 1
    has_failed: bool = False
    is_stored: bool = False
    began_at: float | None = None
    received_at: float = field(default_factory=time.monotonic)
    extended_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def id(self) -> str:
        """The request's id."""
        return self.message.id


class InFlight:
    """All requests in flight, and the slots of the container that they take or wait for.

    `changed` is set whenever a slot has changed hands, or a request has ended.
    """

    def __init__(self, queue: Queue, visibility_seconds: int, max_concurrency: int, pace: Pace) -> None:
        self._queue = queue
        self._interval = visibility_seconds / 3
        self._max_concurrency = max_concurrency
        self._requests: dict[str, Request] = {}
        self._pace = pace
        self._in_container = 0
        self._stored = 0  # of those in flight: only their messages are still to be deleted
        self._began_sum = 0.0  # of all in the container
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests.values()))

    @property
    def is_storing_too_much(self) -> bool:
        """Whether so many answers wait to be stored that nothing more should be received."""
        storing = len(self._requests) - self._in_container - len(self._waiting) - self._stored
        return storing >= max(limits.STORING_AT_MOST, self._max_concurrency)

    def load(self, asked: int) -> Load:
        """What is in flight, beside the `asked` messages of open receives."""
        busy = self._in_container
        mean_age = asyncio.get_running_loop().time() - self._began_sum / busy if busy else 0.0
        return Load(busy, len(self._waiting), asked, mean_age)

    def find_duplicate(self, message: Message, received: Received) -> bool:
        """Whether the request is in flight already; then this delivery only adds a receipt handle."""
        request = self._requests.get(message.id)
        if request is None:
            return False
        request.receipts[received.message_id] = received.receipt_handle  # the newest one is the valid one
        return True

    def add(self, request: Request) -> None:
        """Take a request in."""
        self._requests[request.id] = request

    async def take_slot(self, request: Request) -> bool:
        """Wait for a slot, in the order of arrival; False when none got free in time, or the pod shuts down."""
        loop = asyncio.get_running_loop()
        if self._waiting or self._in_container >= self._max_concurrency:
            turn: asyncio.Future[bool] = loop.create_future()
            self._waiting.append(turn)
            timer = loop.call_later(limits.TURN_SECONDS, _refuse, turn)
            try:
                if not await turn:
                    return False
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled() and turn.result():
                    self._in_container -= 1
                    self._serve()
                raise
            finally:
                timer.cancel()
                if turn in self._waiting:
                    self._waiting.remove(turn)
        else:
            self._in_container += 1
        request.began_at = loop.time()
        self._began_sum += request.began_at
        return True

    def free_slot(self, request: Request) -> None:
        """Say that the container has done its part; saying it again changes nothing."""
        if request.began_at is None:
            return
        self._pace.worked(asyncio.get_running_loop().time() - request.began_at)
        self._began_sum -= request.began_at
        request.began_at = None
        self._in_container -= 1
        self._serve()

    def stop_waiting(self) -> None:
        """Let none that waits for a slot go on waiting: the pod shuts down."""
        for turn in self._waiting:
            _refuse(turn)

    def _serve(self) -> None:
        while self._waiting and self._in_container < self._max_concurrency:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_container += 1
                turn.set_result(True)
        self.changed.set()

    def remove(self, request: Request) -> None:
        """Forget a request: it has ended, or was given back."""
        self.free_slot(request)
        self._stored -= request.is_stored
        request.is_stored = False
        self._requests.pop(request.id, None)
        self.changed.set()

    async def release(self, request: Request, delay_seconds: int, within_seconds: float) -> None:
        """Give a request back to the queue, to be received again after the delay."""

        async def release(handle: str) -> None:
            async with asyncio.timeout(within_seconds):
                await self._queue.release(handle, delay_seconds)

        await self._each_receipt(request, "release", release)

    async def delete(self, request: Request) -> None:
        """Delete the message of a request that has ended: its result is stored."""
        request.is_stored = True
        self._stored += 1
        self.changed.set()
        await self._each_receipt(request, "delete", self._queue.delete)

    async def heartbeat(self) -> None:
        """Extend each message's visibility when a third of the timeout has passed; runs until cancelled.

        At fixed times, so that those in flight are extended together, and short requests not at all. An extension
        that SQS keeps waiting is given up when the next is due.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._interval / 2, loop.time())
            await asyncio.sleep(due - loop.time())
            old = [each for each in self if loop.time() - each.extended_at >= self._interval]
            await asyncio.gather(*[self._extend(each) for each in old])

    async def _extend(self, request: Request) -> None:
        began = asyncio.get_running_loop().time()

        async def extend(handle: str) -> None:
            async with asyncio.timeout(self._interval):
                await self._queue.extend(handle)
            request.extended_at = began

        await self._each_receipt(request, "extend", extend)

    async def _each_receipt(self, request: Request, name: str, change: Callable[[str], Awaitable[None]]) -> None:
        changes = [_logged(request, name, change(handle)) for handle in request.receipts.values()]
        if len(changes) == 1:  # nearly always, and cheaper
            await changes[0]
        else:
            await asyncio.gather(*changes)


def _refuse(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)


async def _logged(request: Request, name: str, change: Awaitable[None]) -> None:
    """Log an error: the message comes back by itself when its visibility timeout ends."""
    try:
        await change
    except Exception as error:
        facts = {"id": request.id, "reason": str(error) or type(error).__name__}
        is_defect = not isinstance(error, AwsError | TimeoutError)
        log.warning("could not %s a message", name, extra=facts, exc_info=is_defect)
