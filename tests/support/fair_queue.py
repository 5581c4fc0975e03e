"""A stand-in for SQS's fair queues, which the emulator does not have.

It does what Amazon SQS's documentation of fair queues promises, in its simplest form: of the messages that can be
received, those of the group with the fewest in flight come first; within a group, and without groups, the oldest.
"""

import asyncio
import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from support.aws_proxy import AwsProxy


@dataclass
class _Message:
    body: str
    group: str | None
    visible_at: float
    receives: int = 0

    def is_in_flight(self, now: float) -> bool:
        return self.receives > 0 and self.visible_at > now


class FairQueue(AwsProxy):
    """Holds the messages of one queue itself, and forwards all other calls to the emulator."""

    def __init__(self, upstream: str, queue: str) -> None:
        super().__init__(upstream)
        self._queue = queue
        self._messages: dict[str, _Message] = {}  # by id, which is the receipt handle too, in their order

    async def _forward(self, request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").removeprefix("AmazonSQS.")
        carry_out = getattr(self, f"_{operation}", None)
        if carry_out is not None:
            document = json.loads(await request.read())
            if document.get("QueueUrl", "").endswith(f"/{self._queue}"):
                return web.json_response(await carry_out(document))
        return await super()._forward(request)

    async def _SendMessageBatch(self, document: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        done = []
        for entry in document["Entries"]:
            message_id = str(uuid.uuid4())
            visible_at = time.monotonic() + entry.get("DelaySeconds", 0)
            self._messages[message_id] = _Message(entry["MessageBody"], entry.get("MessageGroupId"), visible_at)
            done.append({"Id": entry["Id"], "MessageId": message_id})
        return {"Successful": done, "Failed": []}

    async def _ReceiveMessage(self, document: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        until = time.monotonic() + document["WaitTimeSeconds"]
        while not (found := self._taken(document)) and time.monotonic() < until:  # noqa: ASYNC110 (or by time alone)
            await asyncio.sleep(0.02)
        return {"Messages": found}

    def _taken(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        while len(taken) < document["MaxNumberOfMessages"] and (message_id := self._next()):
            message = self._messages[message_id]
            message.receives += 1
            message.visible_at = time.monotonic() + document["VisibilityTimeout"]
            attributes = {"ApproximateReceiveCount": str(message.receives)}
            taken.append(
                {
                    "MessageId": message_id,
                    "ReceiptHandle": message_id,
                    "Body": message.body,
                    "Attributes": attributes,
                }
            )
        return taken

    def _next(self) -> str | None:
        now = time.monotonic()
        in_flight = Counter(each.group for each in self._messages.values() if each.is_in_flight(now))
        visible = [(key, each) for key, each in self._messages.items() if each.visible_at <= now]
        return min(visible, key=lambda one: in_flight[one[1].group], default=(None,))[0]

    async def _DeleteMessageBatch(self, document: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in document["Entries"]:
            self._messages.pop(entry["ReceiptHandle"], None)
        return {"Successful": [{"Id": entry["Id"]} for entry in document["Entries"]], "Failed": []}

    async def _ChangeMessageVisibilityBatch(self, document: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in document["Entries"]:
            if message := self._messages.get(entry["ReceiptHandle"]):
                message.visible_at = time.monotonic() + entry["VisibilityTimeout"]
        return {"Successful": [{"Id": entry["Id"]} for entry in document["Entries"]], "Failed": []}
