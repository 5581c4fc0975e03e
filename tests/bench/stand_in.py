"""S3 and SQS in memory, in a process of its own: `python -m bench.stand_in PORT [LATENCY_MS]`.

It answers the calls that the glue and `provision` make, several times cheaper than what it measures, and
counts them by operation. Signatures are not checked. What it adds to the two services:

====================================  =========================================================
`GET /_stand_in/counts`               calls, and what AWS would bill, by operation
`POST /_stand_in/reset`               the same, and start counting anew
`POST /_stand_in/latency?ms=N`        let every answer take that much longer
`POST /_stand_in/outage?seconds=N`    let every call to SQS fail from now on for that long (500)
`GET /_stand_in/queues`               messages that can be received, and those in flight, by queue
====================================  =========================================================
"""

import asyncio
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bench.http_server import Connection, Request, Response
from bench.s3_state import Buckets
from bench.sqs_state import Message, Queue, Queues, Waiter

_BILLED_BYTES = 65_536  # SQS bills a call once for every 64 KB of messages that it carries


class StandIn:
    """All state, shared by the connections."""

    def __init__(self, base_url: str, latency_seconds: float) -> None:
        self.base_url = base_url
        self.latency_seconds = latency_seconds
        self.outage_until = 0.0  # by the loop's clock
        self.buckets = Buckets()
        self.queues = Queues()
        self.calls: Counter[str] = Counter()
        self.billed: Counter[str] = Counter()

    def count(self, operation: str) -> None:
        self.calls[operation] += 1
        self.billed[operation] += 1

    def bill(self, operation: str, bodies: Iterable[str]) -> None:
        """Add what a call that carries these messages costs more than one that carries none."""
        self.billed[operation] += max(0, math.ceil(sum(len(body.encode()) for body in bodies) / _BILLED_BYTES) - 1)

    def counts(self) -> dict[str, dict[str, int]]:
        return {name: {"calls": self.calls[name], "billed": self.billed[name]} for name in self.calls}


class ServiceConnection(Connection):
    """Tells S3 calls from SQS calls, and answers them."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self._stand_in = stand_in

    def handle(self, request: Request) -> None:
        target = request.headers.get("x-amz-target")
        if target is not None:
            self._sqs(target.rpartition(".")[2], json.loads(request.body))
        elif request.path.startswith("/_stand_in/"):
            self.respond(self._admin(request))
        else:
            operation, response = self._stand_in.buckets.handle(request)
            self._stand_in.count(operation)
            self._answer(response, head_only=request.method == "HEAD")

    def _answer(self, response: Response, *, head_only: bool = False) -> None:
        latency = self._stand_in.latency_seconds
        if latency:
            loop = asyncio.get_running_loop()
            loop.call_later(latency, lambda: self.respond(response, head_only=head_only))
        else:
            self.respond(response, head_only=head_only)

    def _admin(self, request: Request) -> Response:
        stand_in = self._stand_in
        found: Any = stand_in.counts()
        match request.path.rpartition("/")[2]:
            case "reset":
                stand_in.calls.clear()
                stand_in.billed.clear()
            case "latency":
                stand_in.latency_seconds = float(request.query.partition("=")[2]) / 1000
            case "outage":
                seconds = float(request.query.partition("=")[2])
                stand_in.outage_until = asyncio.get_running_loop().time() + seconds
            case "queues":
                queues = stand_in.queues.by_name
                found = {name: (len(queue.visible), len(queue.in_flight)) for name, queue in queues.items()}
        return _json(found)

    def _sqs(self, operation: str, document: dict[str, Any]) -> None:
        stand_in = self._stand_in
        if asyncio.get_running_loop().time() < stand_in.outage_until:
            self._answer(_refusal("InternalError", 500))
            return
        if operation in ("CreateQueue", "GetQueueUrl"):
            stand_in.count(operation)
            self._answer(self._name_queue(operation, document))
            return
        queue = stand_in.queues.of_url(document["QueueUrl"])
        if queue is None:
            self._answer(_refusal("QueueDoesNotExist"))
        elif operation == "ReceiveMessage":
            self._receive(queue, document)
        elif operation == "SendMessageBatch":
            bodies = [entry["MessageBody"] for entry in document["Entries"]]
            stand_in.count(operation)
            stand_in.bill(operation, bodies)
            self._answer(_batch(document, dict(enumerate(queue.send(bodies)))))
        else:
            stand_in.count(operation)
            self._answer(_on_queue(stand_in.queues, queue, operation, document))

    def _name_queue(self, operation: str, document: dict[str, Any]) -> Response:
        queues, name = self._stand_in.queues, document["QueueName"]
        if operation == "CreateQueue":
            queues.create(name, document.get("Attributes") or {}, document.get("tags") or {})
        elif name not in queues.by_name:
            return _refusal("QueueDoesNotExist")
        return _json({"QueueUrl": f"{self._stand_in.base_url}/000000000000/{name}"})

    def _receive(self, queue: Queue, document: dict[str, Any]) -> None:
        def deliver(messages: list[Message]) -> None:
            self._stand_in.bill("ReceiveMessage", [message.body for message in messages])
            self._answer(_json({"Messages": list(map(_described, messages))} if messages else {}))

        self._stand_in.count("ReceiveMessage")  # when it begins: an open long poll is a call too
        seconds = document.get("VisibilityTimeout") or queue.attributes.get("VisibilityTimeout") or 30
        waiter = Waiter(document.get("MaxNumberOfMessages", 1), float(seconds), deliver, lambda: self.is_open)
        queue.receive(waiter, document.get("WaitTimeSeconds", 0))


def _on_queue(queues: Queues, queue: Queue, operation: str, document: dict[str, Any]) -> Response:
    match operation:
        case "DeleteMessageBatch":
            for entry in document["Entries"]:
                queue.delete(entry["ReceiptHandle"])
            return _batch(document)
        case "ChangeMessageVisibilityBatch":
            for entry in document["Entries"]:
                queue.change_visibility(entry["ReceiptHandle"], entry["VisibilityTimeout"])
            return _batch(document)
        case "GetQueueAttributes":
            return _json({"Attributes": queue.described()})
        case "SetQueueAttributes":
            queues.set_attributes(queue, document["Attributes"])
        case "ListQueueTags":
            return _json({"Tags": queue.tags})
        case "TagQueue":
            queue.tags |= document["Tags"]
        case _:
            return _refusal("UnsupportedOperation")
    return _json({})


def _described(message: Message) -> dict[str, Any]:
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "Body": message.body,
        "Attributes": {"ApproximateReceiveCount": str(message.receive_count)},
    }


def _batch(document: dict[str, Any], message_ids: dict[int, str] | None = None) -> Response:
    ids = message_ids or {}
    done = [
        {"Id": entry["Id"], "MessageId": ids.get(index, "")} for index, entry in enumerate(document["Entries"])
    ]
    return _json({"Successful": done, "Failed": []})


def _json(document: Any) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(200, {"content-type": "application/x-amz-json-1.0"}, (body,))


def _refusal(code: str, status: int = 400) -> Response:
    document = {"__type": f"com.amazonaws.sqs#{code}", "message": code}
    return Response(status, {"content-type": "application/x-amz-json-1.0"}, (json.dumps(document).encode(),))


async def _serve(port: int, latency_seconds: float) -> None:
    stand_in = StandIn(f"http://127.0.0.1:{port}", latency_seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServiceConnection(stand_in), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0))
