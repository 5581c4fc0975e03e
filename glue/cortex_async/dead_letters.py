"""An API's dead letters: requests that were given up, looked at, sent on their way again, or thrown away.

A dead letter is a request that was given up: its pod was killed, or could not be reached, at each of its attempts.
Its client sees it as failed. Sent again, it is as if it had just been submitted, under the same id: the failed
result and the sign of its attempts are removed first, since a result is written once and attempts are counted. A
request that completed after all is dropped instead.

Messages are moved by receiving, sending and deleting them, not by SQS's message move task: it would move also what
is not this API's, and what arrives while the results are being removed, which would then be run for nothing.
Interrupted in between, a message is in both queues at the worst, and a request that runs twice has one result.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import botocore.exceptions

from cortex_async import config
from cortex_async.aws.boto import client
from cortex_async.config import ApiConfig
from cortex_async.errors import CortexError
from cortex_async.queue.message import NotOurs, decode
from cortex_async.request_id import RequestIds
from cortex_async.storage.s3_store import object_key

_HIDDEN_SECONDS = 300  # from others, while this command looks at it
_EMPTY_RECEIVES = 2  # in a row, until the queue counts as empty: SQS does not promise to find all at once
_BATCH = 10
_SECONDS_A_DAY = 86_400


class DeadLettersError(CortexError):
    """AWS did not do what was asked."""


@dataclass(frozen=True)
class DeadLetter:
    """One message of the dead-letter queue; `request_id` is None when it is not one of this API's."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    request_id: str | None
    submitted: datetime | None


@dataclass
class Redriven:
    """What became of dead letters: ids that were sent again or dropped as completed, and what was left."""

    sent: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    kept: list[DeadLetter] = field(default_factory=list)


class DeadLetters:
    """The dead-letter queue of one API."""

    def __init__(self, api: ApiConfig, sqs: Any, s3: Any) -> None:
        self._api = api
        self._sqs = sqs
        self._s3 = s3
        self._ids = RequestIds(api.cluster_name, api.name)
        self.retention_days = api.storage.retention_days
        self.url = sqs.get_queue_url(QueueName=api.queue.dead_letter_name)["QueueUrl"]

    @classmethod
    def of(cls, document: Mapping[str, Any] | ApiConfig) -> Self:
        """Open those of an API, by its api.json; raises ConfigError and botocore's errors."""
        api = document if isinstance(document, ApiConfig) else config.parse(document)
        return cls(api, client(api, "sqs"), client(api, "s3"))

    def redrive(self, wanted: Collection[str] = ()) -> Redriven:
        """Send all again, or those of some ids."""
        done = Redriven()
        for batch in self.receive():
            for letter in batch:
                request_id = letter.request_id
                if request_id is None or (wanted and request_id not in wanted):
                    done.kept.append(letter)
                elif request_id in done.sent:
                    self.delete(letter)
                elif self.status(request_id) == "completed":
                    self.drop(letter, request_id)
                    done.dropped.add(request_id)
                else:
                    self.send_again(letter, request_id)
                    done.sent.add(request_id)
        self.release(done.kept)
        return done

    def receive(self) -> Iterator[list[DeadLetter]]:
        """Take all messages, batch by batch: each is hidden from others, and given once."""
        seen: set[str] = set()
        empty = 0
        while empty < _EMPTY_RECEIVES:
            found = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=1,
                AttributeNames=["ApproximateReceiveCount"],
            )
            batch = [self._letter(each) for each in found.get("Messages", ()) if each["MessageId"] not in seen]
            empty = 0 if batch else empty + 1
            if batch:
                seen.update(letter.message_id for letter in batch)
                yield batch

    def release(self, letters: list[DeadLetter]) -> None:
        """Let others see messages again."""
        for start in range(0, len(letters), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
                for number, letter in enumerate(letters[start : start + _BATCH])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def delete(self, letter: DeadLetter) -> None:
        """Remove a message."""
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt_handle)

    def status(self, request_id: str) -> str:
        """How the request ended, for all its client knows: "completed", "failed" or "no result"."""
        try:
            found = self._s3.head_object(Bucket=self._api.storage.bucket, Key=self._key(request_id, "result"))
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return "no result"
        return str(found["Metadata"]["status"])

    def is_found_while_waiting(self, request_id: str) -> bool:
        """Whether GET knows the request before it runs: by its id, which must not be older than the retention."""
        return self._ids.is_current(request_id, self.retention_days * _SECONDS_A_DAY)

    def drop(self, letter: DeadLetter, request_id: str) -> None:
        """Remove the message and the payload of a request that needs neither any more."""
        self._s3.delete_object(Bucket=self._api.storage.bucket, Key=self._key(request_id, "payload"))
        self.delete(letter)

    def send_again(self, letter: DeadLetter, request_id: str) -> None:
        """Put the request on the API's queue as if it were new; a failed result gives way first."""
        for what in ("result", "in_progress", "begun"):
            self._s3.delete_object(Bucket=self._api.storage.bucket, Key=self._key(request_id, what))
        url = self._queue_url()
        ordering = {"MessageGroupId": request_id, "MessageDeduplicationId": uuid4().hex}
        self._sqs.send_message(
            QueueUrl=url, MessageBody=letter.body, **(ordering if url.endswith(".fifo") else {})
        )
        self.delete(letter)

    def purge(self) -> None:
        """Remove all messages."""
        self._sqs.purge_queue(QueueUrl=self.url)

    def _queue_url(self) -> str:
        queue = self._api.queue
        return queue.url or str(self._sqs.get_queue_url(QueueName=queue.name)["QueueUrl"])

    def _key(self, request_id: str, what: str) -> str:
        return object_key(self._api.storage.prefix, self._api.name, request_id, what)

    def _letter(self, message: dict[str, Any]) -> DeadLetter:
        request_id = issued_at = None
        try:
            request_id = decode(message["Body"]).id
            issued_at = self._ids.issued_at(request_id)
        except NotOurs:
            pass
        return DeadLetter(
            message["MessageId"],
            message["ReceiptHandle"],
            message["Body"],
            int(message["Attributes"]["ApproximateReceiveCount"]),
            request_id if issued_at is not None else None,
            None if issued_at is None else datetime.fromtimestamp(issued_at, UTC),
        )
