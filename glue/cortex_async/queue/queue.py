"""The API's queue: SQS with every call batched, and its names looked up once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from cortex_async.aws.client import AwsSession
from cortex_async.aws.retry import delay_seconds
from cortex_async.aws.sqs import EntryFailure, Received, Sqs
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsRefused, CortexError
from cortex_async.queue.batching import Batcher

log = logging.getLogger(__name__)


class QueueMissing(CortexError):
    """The queue does not exist (yet)."""


class Queue:
    """Send, receive, extend, release and delete; `patience` is in seconds, as in `Service.send`."""

    def __init__(self, sqs: Sqs, url: str, visibility_seconds: int) -> None:
        self.url = url
        self._sqs = sqs
        self._visibility_seconds = visibility_seconds
        self._fifo = url.endswith(".fifo")
        self._sends = Batcher("SendMessageBatch", self._send, _entry_bytes)
        self._deletes = Batcher("DeleteMessageBatch", self._delete)
        self._changes = Batcher("ChangeMessageVisibilityBatch", self._change)

    @classmethod
    async def find(cls, session: AwsSession, config: ApiConfig, patience: float | None) -> Self:
        """Look the API's queue up; raises QueueMissing, AwsRefused or AwsUnavailable."""
        sqs = Sqs(session)
        url = config.queue.url or await _url(sqs, config.queue.name, patience)
        return cls(sqs, url, config.queue.visibility_timeout_seconds)

    @classmethod
    async def find_dead_letters(cls, session: AwsSession, config: ApiConfig, patience: float | None) -> Self:
        """Look the dead-letter queue up; raises as `find` does."""
        sqs = Sqs(session)
        url = await _url(sqs, config.queue.dead_letter_name, patience)
        return cls(sqs, url, config.queue.visibility_timeout_seconds)

    async def send(self, request_id: str, body: str, patience: float | None) -> None:
        """Put one message on the queue."""
        entry = {"MessageBody": body}
        if self._fifo:  # a group of its own: requests never wait for one another
            entry |= {"MessageGroupId": request_id, "MessageDeduplicationId": request_id}
        await self._sends.add(entry, patience)

    async def receive(self, count: int, wait_seconds: int) -> list[Received]:
        """Wait `wait_seconds` (at most 20) for at most `count` (1 to 10) messages, in a single try."""
        return await self._sqs.receive(self.url, count, self._visibility_seconds, wait_seconds)

    async def delete(self, receipt_handle: str, patience: float | None) -> None:
        """Take a message off the queue for good."""
        await self._deletes.add(receipt_handle, patience)

    async def extend(self, receipt_handle: str, patience: float | None) -> None:
        """Keep a message hidden for one visibility timeout from now on."""
        await self._changes.add((receipt_handle, self._visibility_seconds), patience)

    async def release(self, receipt_handle: str, delay_seconds: int, patience: float | None) -> None:
        """Give a message back: it can be received again after `delay_seconds`."""
        await self._changes.add((receipt_handle, delay_seconds), patience)

    async def _send(self, entries: Sequence[dict[str, Any]]) -> list[EntryFailure | None]:
        return await self._sqs.send_batch(self.url, entries, patience=0)

    async def _delete(self, receipt_handles: Sequence[str]) -> list[EntryFailure | None]:
        return await self._sqs.delete_batch(self.url, receipt_handles, patience=0)

    async def _change(self, changes: Sequence[tuple[str, int]]) -> list[EntryFailure | None]:
        return await self._sqs.change_visibility_batch(self.url, changes, patience=0)


def _entry_bytes(entry: dict[str, Any]) -> int:
    return len(entry["MessageBody"].encode())


async def _url(sqs: Sqs, name: str, patience: float | None) -> str:
    try:
        return await sqs.queue_url(name, patience)
    except AwsRefused as error:
        if not error.code.endswith(("QueueDoesNotExist", "NonExistentQueue")):
            raise
        raise QueueMissing(
            f"the queue {name} does not exist; run `cortex-async provision` to create it"
        ) from error


async def keep_finding(find: Callable[[], Awaitable[Queue]]) -> Queue:
    """Return the queue that `find` finds, however long it takes until it exists and may be used."""
    failures = 0
    while True:
        try:
            return await find()
        except CortexError as error:
            log.error("waiting for the queue", extra={"reason": str(error)})
        failures += 1
        await asyncio.sleep(delay_seconds(failures + 3))
