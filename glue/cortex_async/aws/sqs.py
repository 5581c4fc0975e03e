"""The SQS operations the project needs, over the JSON protocol (Amazon SQS API reference, 2012-11-05)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cortex_async import limits
from cortex_async.aws.client import AwsSession, Call, Service
from cortex_async.aws.endpoints import aws_endpoint
from cortex_async.backoff import SINGLE_TRY, Health
from cortex_async.errors import AwsUnavailable

_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came: its body is not looked into here."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int


@dataclass(frozen=True, slots=True)
class EntryFailure:
    """Why one entry of a batch was not carried out; `sender_fault` tells that trying again changes nothing."""

    code: str
    message: str
    sender_fault: bool


class Sqs:
    """SQS of one region. Each call is a single try: batches are retried entry by entry (queue/batching.py)."""

    def __init__(self, session: AwsSession) -> None:
        region = session.config.region
        self._service = Service(session, "sqs", session.endpoint("sqs") or aws_endpoint("sqs", region), SINGLE_TRY)

    @property
    def health(self) -> Health:
        """Whether the service answers: for those that wait to try again."""
        return self._service.health

    async def queue_url(self, name: str) -> str:
        """Return the URL of the queue called `name`; raises AwsRefused (code QueueDoesNotExist)."""
        found = await self._call("GetQueueUrl", {"QueueName": name})
        return str(found["QueueUrl"])

    async def depth(self, queue_url: str) -> tuple[int, int]:
        """GetQueueAttributes: how many messages wait, delayed ones included, and how many are in flight."""
        waiting, delayed, in_flight = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        )
        names = [waiting, delayed, in_flight]
        answer = await self._call("GetQueueAttributes", {"QueueUrl": queue_url, "AttributeNames": names})
        found = answer.get("Attributes") or {}
        return int(found.get(waiting, 0)) + int(found.get(delayed, 0)), int(found.get(in_flight, 0))

    async def receive(
        self, queue_url: str, count: int, visibility_seconds: int, wait_seconds: int
    ) -> list[Received]:
        """Wait `wait_seconds` (at most 20) for at most `count` (1 to 10) messages, in a single try."""
        found = await self._call(
            "ReceiveMessage",
            {
                "QueueUrl": queue_url,
                "MaxNumberOfMessages": count,
                "VisibilityTimeout": visibility_seconds,
                "WaitTimeSeconds": wait_seconds,
                # Both spellings: the second is the new name of the first.
                "AttributeNames": ["ApproximateReceiveCount"],
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
            },
            read_seconds=wait_seconds + limits.RECEIVE_READ_SECONDS,
        )
        return [
            Received(
                message["MessageId"],
                message["ReceiptHandle"],
                message["Body"],
                int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for message in found.get("Messages") or ()
        ]

    async def send_batch(self, queue_url: str, entries: Sequence[dict[str, Any]]) -> list[EntryFailure | None]:
        """SendMessageBatch; the answer has one item an entry, None for a success."""
        return await self._batch("SendMessageBatch", queue_url, entries)

    async def delete_batch(self, queue_url: str, receipt_handles: Sequence[str]) -> list[EntryFailure | None]:
        """DeleteMessageBatch; the answer has one item a receipt handle, None for a success."""
        entries = [{"ReceiptHandle": handle} for handle in receipt_handles]
        return await self._batch("DeleteMessageBatch", queue_url, entries)

    async def change_visibility_batch(
        self, queue_url: str, changes: Sequence[tuple[str, int]]
    ) -> list[EntryFailure | None]:
        """ChangeMessageVisibilityBatch of (receipt handle, seconds from now); one item a change."""
        entries = [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle, seconds in changes]
        return await self._batch("ChangeMessageVisibilityBatch", queue_url, entries)

    async def _batch(
        self, operation: str, queue_url: str, entries: Sequence[dict[str, Any]]
    ) -> list[EntryFailure | None]:
        numbered = [{"Id": str(index), **entry} for index, entry in enumerate(entries)]
        found = await self._call(operation, {"QueueUrl": queue_url, "Entries": numbered})
        unheard = EntryFailure("NoAnswer", "the reply does not mention this entry", sender_fault=False)
        results: list[EntryFailure | None] = [unheard] * len(numbered)
        for entry in found.get("Successful") or ():
            results[int(entry["Id"])] = None
        for entry in found.get("Failed") or ():
            results[int(entry["Id"])] = EntryFailure(
                entry.get("Code", ""), entry.get("Message", ""), bool(entry.get("SenderFault"))
            )
        return results

    async def _call(
        self, operation: str, document: dict[str, Any], read_seconds: float = limits.SQS_READ_SECONDS
    ) -> dict[str, Any]:
        call = Call(
            operation,
            "POST",
            "/",
            headers={"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"},
            body=_encode(document).encode(),
            read_seconds=read_seconds,
        )
        answer = await self._service.send(call)
        try:
            found: dict[str, Any] = json.loads(answer.body or b"{}")
        except ValueError as error:
            raise AwsUnavailable(operation, "the answer is not JSON; is the endpoint an SQS server?") from error
        return found
