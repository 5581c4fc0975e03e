"""The requests in flight: received, not ended, and kept hidden from other pods by a heartbeat."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from cortex_async import limits
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
    request is given back. While `in_container`, it takes one of the `max_concurrency` slots.
    """

    message: Message
    receive_count: int
    receipts: dict[str, str]
    marker: ProgressMarker
    attempt: int = 1
    has_failed: bool = False
    in_container: bool = True
    received_at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        """The request's id."""
        return self.message.id


class InFlight:
    """All requests in flight, and the slots of the container that they take.

    `changed` is set whenever a slot gets free, or a request has ended.
    """

    def __init__(self, queue: Queue, visibility_seconds: int, max_concurrency: int) -> None:
        self._queue = queue
        self._interval = visibility_seconds / 3
        self._max_concurrency = max_concurrency
        self._requests: dict[str, Request] = {}
        self._in_container = 0
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests.values()))

    @property
    def free_slots(self) -> int:
        """How many requests the container could take now; 0 while too many answers wait to be stored."""
        storing = len(self._requests) - self._in_container
        if storing >= max(limits.STORING_AT_MOST, self._max_concurrency):
            return 0
        return self._max_concurrency - self._in_container

    def find_duplicate(self, message: Message, received: Received) -> bool:
        """Whether the request is in flight already; then this delivery only adds a receipt handle."""
        request = self._requests.get(message.id)
        if request is None:
            return False
        request.receipts[received.message_id] = received.receipt_handle  # the newest one is the valid one
        return True

    def add(self, request: Request) -> None:
        """Take a request in, and a slot for it."""
        self._requests[request.id] = request
        self._in_container += 1

    def free_slot(self, request: Request) -> None:
        """Say that the container has done its part; saying it again changes nothing."""
        if request.in_container:
            request.in_container = False
            self._in_container -= 1
            self.changed.set()

    def remove(self, request: Request) -> None:
        """Forget a request: it has ended, or was given back."""
        self.free_slot(request)
        self._requests.pop(request.id, None)
        self.changed.set()

    async def release(self, request: Request, delay_seconds: int, within_seconds: float) -> None:
        """Give a request back to the queue, to be received again after the delay."""

        async def release(handle: str) -> None:
            async with asyncio.timeout(within_seconds):
                await self._queue.release(handle, delay_seconds)

        await self._each_receipt(request, "release", release)

    async def delete(self, request: Request) -> None:
        """Delete the message of a request that has ended."""
        await self._each_receipt(request, "delete", self._queue.delete)

    async def heartbeat(self) -> None:
        """Extend the visibility of all in flight, three times in a visibility timeout; runs until cancelled.

        At fixed times: an extension that SQS keeps waiting is given up when the next is due.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._interval, loop.time())
            await asyncio.sleep(due - loop.time())
            await asyncio.gather(*[self._each_receipt(each, "extend", self._extend) for each in self])

    async def _extend(self, handle: str) -> None:
        async with asyncio.timeout(self._interval):
            await self._queue.extend(handle)

    async def _each_receipt(self, request: Request, name: str, change: Callable[[str], Awaitable[None]]) -> None:
        changes = [_logged(request, name, change(handle)) for handle in request.receipts.values()]
        if len(changes) == 1:  # nearly always, and cheaper
            await changes[0]
        else:
            await asyncio.gather(*changes)


async def _logged(request: Request, name: str, change: Awaitable[None]) -> None:
    """Log an error: the message comes back by itself when its visibility timeout ends."""
    try:
        await change
    except Exception as error:
        facts = {"id": request.id, "reason": str(error) or type(error).__name__}
        is_defect = not isinstance(error, AwsError | TimeoutError)
        log.warning("could not %s a message", name, extra=facts, exc_info=is_defect)
