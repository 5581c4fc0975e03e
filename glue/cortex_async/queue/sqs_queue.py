"""The queue in SQS: every call batched, and its name looked up once."""

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Self

from cortex_async import limits
from cortex_async.aws.client import AwsSession
from cortex_async.aws.sqs import EntryFailure, Received, Sqs
from cortex_async.backoff import Backoff, RetryPolicy
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsRefused, CortexError, QueueMissing
from cortex_async.queue.batching import Batcher
from cortex_async.queue.protocol import AT_ONCE, Depth, Sending

log = logging.getLogger(__name__)


class SqsQueue:
    """One queue in SQS (see `protocol.Queue`)."""

    def __init__(self, sqs: Sqs, url: str, visibility_seconds: int, policy: RetryPolicy) -> None:
        self.url = url
        self._sqs = sqs
        self._visibility_seconds = visibility_seconds
        self._fifo = url.endswith(".fifo")
        # A receipt handle that is refused stays refused: the message comes back by itself.
        of_receipts = replace(policy, refusals=False)
        self._sends = Batcher("SendMessageBatch", self._send, policy, _entry_bytes, health=sqs.health)
        self._deletes = Batcher(
            "DeleteMessageBatch",
            self._delete,
            of_receipts,
            linger_seconds=limits.DELETE_LINGER_SECONDS,
            health=sqs.health,
        )
        self._changes = Batcher("ChangeMessageVisibilityBatch", self._change, of_receipts, health=sqs.health)

    @classmethod
    async def open(cls, session: AwsSession, config: ApiConfig, policy: RetryPolicy) -> Self:
        """Look the API's queue up, for as long as it takes until it exists and may be used."""
        sqs = Sqs(session)
        url = config.queue.url or await _find(sqs, config.queue.name)
        return cls(sqs, url, config.queue.visibility_timeout_seconds, policy)

    @classmethod
    async def open_dead_letters(cls, session: AwsSession, config: ApiConfig, policy: RetryPolicy) -> Self:
        """Look the dead-letter queue up, as `open` does."""
        sqs = Sqs(session)
        url = await _find(sqs, config.queue.dead_letter_name)
        return cls(sqs, url, config.queue.visibility_timeout_seconds, policy)

    @classmethod
    async def open_webhooks(cls, session: AwsSession, config: ApiConfig, policy: RetryPolicy) -> Self:
        """Look the queue of the webhooks up, as `open` does; there must be `config.webhooks`."""
        assert config.webhooks is not None
        sqs = Sqs(session)
        url = await _find(sqs, config.webhooks.queue_name)
        return cls(sqs, url, limits.WEBHOOK_VISIBILITY_SECONDS, policy)

    async def send(self, request_id: str, body: str, how: Sending = AT_ONCE) -> None:
        """See `Queue`."""
        entry: dict[str, Any] = {"MessageBody": body}
        if how.delay_seconds:
            entry["DelaySeconds"] = how.delay_seconds
        if how.group is not None:
            entry["MessageGroupId"] = how.group
        if self._fifo:  # a group of its own: requests never wait for one another
            entry |= {"MessageGroupId": request_id, "MessageDeduplicationId": request_id}
        await self._sends.add(entry)

    async def depth(self) -> Depth:
        """See `Queue`."""
        return Depth(*await self._sqs.depth(self.url))

    async def receive(self, count: int, wait_seconds: int) -> list[Received]:
        """See `Queue`."""
        return await self._sqs.receive(self.url, count, self._visibility_seconds, wait_seconds)

    async def delete(self, receipt_handle: str) -> None:
        """See `Queue`."""
        await self._deletes.add(receipt_handle)

    def flush(self) -> None:
        """See `Queue`."""
        self._deletes.flush()

    async def extend(self, receipt_handle: str) -> None:
        """See `Queue`."""
        await self._changes.add((receipt_handle, self._visibility_seconds))

    async def release(self, receipt_handle: str, delay_seconds: int) -> None:
        """See `Queue`."""
        await self._changes.add((receipt_handle, delay_seconds))

    async def _send(self, entries: Sequence[dict[str, Any]]) -> list[EntryFailure | None]:
        return await self._while_it_exists(self._sqs.send_batch(self.url, entries))

    async def _delete(self, receipt_handles: Sequence[str]) -> list[EntryFailure | None]:
        return await self._sqs.delete_batch(self.url, receipt_handles)

    async def _change(self, changes: Sequence[tuple[str, int]]) -> list[EntryFailure | None]:
        return await self._sqs.change_visibility_batch(self.url, changes)

    async def _while_it_exists(self, call: Awaitable[list[EntryFailure | None]]) -> list[EntryFailure | None]:
        """A queue that was deleted may come back under the same name, and so the same URL: that is no refusal."""
        try:
            return await call
        except AwsRefused as error:
            if not _is_missing(error):
                raise
            raise QueueMissing(error.operation, f"the queue {self.url} does not exist (any more)") from error


def _entry_bytes(entry: dict[str, Any]) -> int:
    return len(entry["MessageBody"].encode())


def _is_missing(error: AwsRefused) -> bool:
    return error.code.endswith(("QueueDoesNotExist", "NonExistentQueue"))


async def _find(sqs: Sqs, name: str) -> str:
    backoff = Backoff(longest=limits.FIND_QUEUE_LONGEST_SECONDS)
    while True:
        try:
            return await sqs.queue_url(name)
        except CortexError as error:
            reason = f"the queue {name} does not exist yet" if _missing(error) else str(error)
            log.error("waiting for the queue, which the provisioning creates", extra={"reason": reason})
            await backoff.pause(error)


def _missing(error: CortexError) -> bool:
    return isinstance(error, AwsRefused) and _is_missing(error)
