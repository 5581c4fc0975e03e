"""The requests in hand: received, not ended, and kept from being given to others by a heartbeat."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from cortex_async.aws.sqs import Received
from cortex_async.errors import AwsError
from cortex_async.queue.message import Message
from cortex_async.queue.queue import Queue

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Held:
    """One request in hand.

    `receive_count` is SQS's, `attempt` counts how often the request was brought to the web server, this time
    included. `receipts` maps message ids to receipt handles (a duplicate adds one). `marked` is whether the sign
    of this attempt is in the bucket, `marking` the task that puts it there;
    `counts` is whether the attempt has failed, so that it counts also when the request is given back.
    """

    message: Message
    receive_count: int
    receipts: dict[str, str]
    attempt: int = 1
    marked: bool = False
    marking: asyncio.Task[None] | None = None
    counts: bool = False
    since: float = field(default_factory=time.monotonic)
    in_container: bool = True


class Hand:
    """All requests in hand, by id."""

    def __init__(self, queue: Queue, visibility_seconds: int) -> None:
        self._queue = queue
        self._interval = visibility_seconds / 3
        self._held: dict[str, Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    @property
    def in_container(self) -> int:
        """How many are with the web server: what counts against `max_concurrency`."""
        return sum(held.in_container for held in self._held.values())

    def take(self, message: Message, received: Received) -> Held | None:
        """Take a request; None when it is in hand already, and this delivery was only a duplicate."""
        held = self._held.get(message.id)
        if held is not None:
            held.receipts[received.message_id] = received.receipt_handle  # the newest one is the valid one
            return None
        held = Held(message, received.receive_count, {received.message_id: received.receipt_handle})
        self._held[message.id] = held
        return held

    def drop(self, held: Held) -> None:
        """Forget a request: it has ended, or was given back."""
        self._held.pop(held.message.id, None)

    async def release(self, held: Held, delay_seconds: int, patience: float | None) -> None:
        """Give a request back to the queue, to be received again after the delay."""
        await self._each(held, "release", delay_seconds, patience)

    async def delete(self, held: Held) -> None:
        """Take a request that has ended off the queue."""
        await self._each(held, "delete", 0, None)

    async def heartbeat(self) -> None:
        """Extend the visibility of all in hand, three times in a visibility timeout; runs until cancelled.

        At fixed times: one that SQS keeps waiting is given up when the next is due.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._interval, loop.time())
            await asyncio.sleep(due - loop.time())
            await asyncio.gather(*[self._each(held, "extend", 0, self._interval) for held in self])

    async def _each(self, held: Held, what: str, delay_seconds: int, patience: float | None) -> None:
        changes = [self._change(held, handle, what, delay_seconds, patience) for handle in held.receipts.values()]
        if len(changes) == 1:  # nearly always, and cheaper
            await changes[0]
        else:
            await asyncio.gather(*changes)

    async def _change(
        self, held: Held, handle: str, what: str, delay_seconds: int, patience: float | None
    ) -> None:
        try:
            if what == "extend":
                await self._queue.extend(handle, patience)
            elif what == "release":
                await self._queue.release(handle, delay_seconds, patience)
            else:
                await self._queue.delete(handle, patience)
        except Exception as error:  # the message comes back by itself when its visibility timeout ends
            facts = {"id": held.message.id, "reason": str(error)}
            log.warning("could not %s a message", what, extra=facts, exc_info=not isinstance(error, AwsError))
