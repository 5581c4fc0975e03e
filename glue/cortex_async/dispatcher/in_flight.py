"""The requests in flight: received, not ended, and kept hidden from other pods by a heartbeat."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cortex_async import limits
from cortex_async.dispatcher.container_timeout import ContainerTimeout
from cortex_async.dispatcher.pace import Load, Pace
from cortex_async.dispatcher.progress_marker import ProgressMarker
from cortex_async.dispatcher.slots import Slots
from cortex_async.errors import AwsError
from cortex_async.queue.message import Message
from cortex_async.queue.protocol import Queue, Received
from cortex_async.request_id import milliseconds_of
from cortex_async.storage.protocol import Status

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Request:
    """One request in flight.

    `receive_count` is SQS's. `receipts` maps message ids to receipt handles: a duplicate delivery adds one.
    `attempt` is the number of this attempt, from 1 on; `is_suspect` says that it may have broken the container
    before (suspicion.py). `is_settled` says that it is recorded what the attempt came to. `began_at` is the time,
    by the loop's clock, since which it takes one of the `max_concurrency` slots; None before and after.
    `attempted_at` is when the attempt began. `begun_by` is the id of the message that it begins by, if there may
    be several; `is_repeated` says that it was not among those received when this was found out.
    `extended_at` is when its visibility was extended last.
    `posted_at` and `left_at` tell when it was sent to the container, and when that had done its part; `status` is
    that of the response. `is_cancelled` says that it was cancelled while in flight, and `timeout` is that of the
    attempt, which then is broken off. `stored` is the status of the result that this process has stored of it.
    """

    message: Message
    receive_count: int
    receipts: dict[str, str]
    marker: ProgressMarker
    attempt: int = 1
    is_suspect: bool = False
    is_settled: bool = False
    begun_by: str = ""
    is_repeated: bool = False
    began_at: float | None = None
    posted_at: float | None = None
    left_at: float | None = None
    status: int | None = None
    attempted_at: datetime | None = None
    is_cancelled: bool = False
    timeout: ContainerTimeout | None = None
    stored: Status | None = None
    received_at: float = field(default_factory=time.monotonic)
    extended_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def id(self) -> str:
        """The request's id."""
        return self.message.id

    @property
    def issued_at(self) -> float:
        """When it was submitted, in seconds since the epoch."""
        return milliseconds_of(self.message.id) / 1000


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
        self._slots: Slots[Request] = Slots(max_concurrency)
        self._began_sum = 0.0  # of all in the container
        self._worked_seconds = 0.0  # of all that have left the container
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests.values()))

    @property
    def active(self) -> int:
        """How many requests are in the container."""
        return self._slots.taken

    @property
    def busy_seconds(self) -> float:
        """For how long slots were taken, all of them together."""
        now = asyncio.get_running_loop().time()
        return self._worked_seconds + sum(now - each.began_at for each in self if each.began_at is not None)

    @property
    def is_shared(self) -> bool:
        """Whether several requests may be with the container at once."""
        return self._max_concurrency > 1

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be received: too many answers wait to be stored, or suspects for a slot."""
        slots = self._slots
        storing = len(self._requests) - slots.taken - slots.waiting - slots.suspects_waiting
        return (
            storing >= max(limits.STORING_AT_MOST, self._max_concurrency)
            or slots.suspects_waiting >= limits.SUSPECTS_AT_MOST
            or slots.is_closed
        )

    def load(self, asked: int) -> Load:
        """What is in flight, beside the `asked` messages of open receives."""
        busy = self._slots.taken
        mean_age = asyncio.get_running_loop().time() - self._began_sum / busy if busy else 0.0
        return Load(busy, self._slots.waiting, asked, mean_age)

    def find(self, request_id: str) -> Request | None:
        """Return a request in flight; None if there is none of that id."""
        return self._requests.get(request_id)

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
        if not await self._slots.take(request, limits.TURN_SECONDS):
            return False
        self._begin(request)
        return True

    async def take_slot_apart(self, request: Request, *, alone: bool) -> bool:
        """Wait as a suspect does, with no slot meanwhile (suspicion.py); False when the pod shuts down."""
        self._end(request)
        self.changed.set()
        if not await self._slots.take_apart(request, alone=alone):
            return False
        self._begin(request)
        return True

    def had_company(self, request: Request) -> bool:
        """Whether others were with the container during this attempt, which has its slot still."""
        return self._slots.had_company(request)

    def free_slot(self, request: Request) -> None:
        """Say that the container has done its part; saying it again changes nothing."""
        if request.began_at is None:
            return
        request.left_at = asyncio.get_running_loop().time()
        seconds = request.left_at - request.began_at
        self._pace.worked(seconds)
        self._worked_seconds += seconds
        self._end(request)
        self._slots.give_back(request)
        self.changed.set()

    def stop_waiting(self) -> None:
        """Let none that waits for a slot go on waiting: the pod shuts down."""
        self._slots.refuse_all()

    def _begin(self, request: Request) -> None:
        request.began_at = asyncio.get_running_loop().time()
        self._began_sum += request.began_at

    def _end(self, request: Request) -> None:
        if request.began_at is not None:
            self._began_sum -= request.began_at
            request.began_at = None

    def remove(self, request: Request) -> None:
        """Forget a request: it has ended, or was given back."""
        self.free_slot(request)
        if self._requests.get(request.id) is request:  # it may have been received anew since it was released
            del self._requests[request.id]
        self.changed.set()

    async def release(self, request: Request, delay_seconds: int, within_seconds: float) -> None:
        """Give a request back to the queue, to be received again after the delay.

        It is forgotten first: without a delay this process may be the one that receives it again.
        """
        self.remove(request)

        async def release(handle: str) -> None:
            async with asyncio.timeout(within_seconds):
                await self._queue.release(handle, delay_seconds)

        await self._each_receipt(request, "release", release)

    async def delete(self, request: Request) -> None:
        """Delete the message of a request that has ended: its result is stored.

        It is forgotten first. A deletion may wait for others, and meanwhile a dead letter may be sent again under
        the same id: that is no duplicate. Whatever else is received again finds its result.
        """
        self.remove(request)
        await self._each_receipt(request, "delete", self._queue.delete)

    async def delete_others(self, request: Request, message_id: str) -> None:
        """Delete the messages of a request but one, and give that one back if it has been received meanwhile."""
        self.remove(request)
        handle = request.receipts.pop(message_id, None)
        if handle is not None:
            await _logged(request, "release", self._queue.release(handle, 0))
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


async def _logged(request: Request, name: str, change: Awaitable[None]) -> None:
    """Log an error: the message comes back by itself when its visibility timeout ends."""
    try:
        await change
    except Exception as error:
        facts = {"id": request.id, "reason": str(error) or type(error).__name__}
        is_defect = not isinstance(error, AwsError | TimeoutError)
        log.warning("could not %s a message", name, extra=facts, exc_info=is_defect)
