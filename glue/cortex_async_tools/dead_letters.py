"""Look at an API's dead letters, send them on their way again, or throw them away.

A dead letter is a request that was given up: its pod was killed, or could not be reached, at each of its attempts.
Its client sees it as failed. `redrive` makes it as if it had just been submitted, under the same id: the failed
result and the sign of its attempts are removed first, since a result is written once and attempts are counted. A
request that completed after all is dropped instead. One that is older than results are kept is sent as well, but
answered 404 until it runs, and the command says so. A payload in the bucket is kept for a dead letter, until the
bucket's lifecycle rule removes it.

Messages are moved by receiving, sending and deleting them, not by SQS's message move task: it would move also what
is not this API's, and what arrives while the results are being removed, which would then be run for nothing.
Interrupted in between, a message is in both queues at the worst, and a request that runs twice has one result.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.exceptions

from cortex_async import config
from cortex_async.aws.boto import client
from cortex_async.config import ApiConfig
from cortex_async.errors import ConfigError, CortexError
from cortex_async.queue.message import NotOurs, decode
from cortex_async.request_id import RequestIds
from cortex_async.storage.s3_store import object_key
from cortex_async_tools.aws_login import HOW_TO_LOG_IN
from cortex_async_tools.chart.rendering import add_overlays_argument, api_config, render_file
from cortex_async_tools.chart.values_file import find_chart

_HIDDEN_SECONDS = 300  # from others, while this command looks at it
_EMPTY_RECEIVES = 2  # in a row, until the queue counts as empty: SQS does not promise to find all at once
_BATCH = 10
_SECONDS_A_DAY = 86_400


class DeadLettersError(CortexError):
    """AWS did not do what the command asked."""


@dataclass(frozen=True)
class DeadLetter:
    """One message of the dead-letter queue; `request_id` is None when it is not one of this API's."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    request_id: str | None
    submitted: datetime | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=["list", "redrive", "purge"], help="what to do with the dead letters")
    parser.add_argument("values", nargs="?", type=Path, metavar="VALUES", help="values file of the API")
    add_overlays_argument(parser)
    parser.add_argument("--config", type=Path, metavar="FILE", help="its api.json, instead of a values file")
    parser.add_argument(
        "--id", action="append", default=[], dest="ids", help="redrive this request only; repeatable"
    )
    parser.add_argument("--yes", action="store_true", help="purge without asking")


def run(args: argparse.Namespace) -> int:
    """Do it; raises DeadLettersError, and ConfigError without exactly one of VALUES and --config."""
    if (args.values is None) == (args.config is None):
        raise ConfigError("give either the values file of the API, or its api.json by --config")
    if args.values:
        api = api_config(render_file(args.values, find_chart(), args.overlays))
    else:
        api = config.load(args.config)
    actions: dict[str, Callable[[DeadLetters], int]] = {
        "list": _list,
        "redrive": lambda letters: _redrive(letters, frozenset(args.ids)),
        "purge": lambda letters: _purge(letters, sure=args.yes),
    }
    try:
        return actions[args.action](DeadLetters(api, client(api, "sqs"), client(api, "s3")))
    except botocore.exceptions.NoCredentialsError as error:
        raise DeadLettersError(f"no AWS credentials found: {HOW_TO_LOG_IN}") from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise DeadLettersError(str(error)) from error


class DeadLetters:
    """The dead-letter queue of one API."""

    def __init__(self, api: ApiConfig, sqs: Any, s3: Any) -> None:
        self._api = api
        self._sqs = sqs
        self._s3 = s3
        self._ids = RequestIds(api.cluster_name, api.name)
        self.retention_days = api.storage.retention_days
        self.url = sqs.get_queue_url(QueueName=api.queue.dead_letter_name)["QueueUrl"]

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


def _list(letters: DeadLetters) -> int:
    """Print a line for each; listing counts as a receive, as all looking into a queue does."""
    print(f"{'ID':<36}  {'SUBMITTED':<20}  {'RECEIVES':>8}  RESULT")
    taken: list[DeadLetter] = []
    for batch in letters.receive():
        taken += batch
        for letter in batch:
            if letter.request_id is None or letter.submitted is None:
                print(f"{letter.message_id:<36}  {'-':<20}  {letter.receive_count:>8}  not of this API")
                continue
            submitted = letter.submitted.strftime("%Y-%m-%dT%H:%M:%SZ")
            status = letters.status(letter.request_id)
            print(f"{letter.request_id:<36}  {submitted:<20}  {letter.receive_count:>8}  {status}")
    letters.release(taken)
    return 0


def _redrive(letters: DeadLetters, wanted: frozenset[str]) -> int:
    """Send requests again, and tell how many; 1 when one of `wanted` was not there."""
    sent: set[str] = set()
    dropped: set[str] = set()
    kept: list[DeadLetter] = []
    for batch in letters.receive():
        for letter in batch:
            request_id = letter.request_id
            if request_id is None or (wanted and request_id not in wanted):
                kept.append(letter)
            elif request_id in sent:
                letters.delete(letter)
            elif letters.status(request_id) == "completed":
                letters.drop(letter, request_id)
                dropped.add(request_id)
            else:
                letters.send_again(letter, request_id)
                sent.add(request_id)
    letters.release(kept)
    print(f"{len(sent)} sent again, {len(dropped)} dropped because completed, {len(kept)} left")
    for request_id in sorted(sent):
        if not letters.is_found_while_waiting(request_id):
            older = f"{request_id} is older than the {letters.retention_days} days of storage.retentionDays"
            print(f"{older}: GET answers 404 until it runs")
    missing = wanted - sent - dropped
    for request_id in sorted(missing):
        print(f"{request_id} is not among the dead letters", file=sys.stderr)
    return 1 if missing else 0


def _purge(letters: DeadLetters, *, sure: bool) -> int:
    """Throw all away; asks first, unless `sure`."""
    if not sure:
        try:
            answer = input(f"Throw away all messages of {letters.url}? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            print("nothing was thrown away", file=sys.stderr)
            return 1
    letters.purge()
    print("thrown away")
    return 0
