"""Dead letters, put where a dispatcher would."""

import time
from datetime import UTC, datetime

from cortex_async.queue.message import Message
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Status
from cortex_async.storage.s3_store import object_key
from support.stack import BUCKET, Stack


def give_up(
    stack: Stack, payload: bytes = b"secret", status: Status | None = Status.FAILED, age_days: float = 0
) -> str:
    """Put a dead letter where a dispatcher would, with the result it would have left."""
    request_id = RequestIds("test", stack.name).issue(time.time() - age_days * 86_400)
    body = Message(request_id, (("X-Token", "secret"),), "", payload, len(payload)).encode()
    send(stack, body)
    if status is not None:
        put(stack, request_id, "in_progress", {"attempt": "1"})
        metadata = {"status": status.value, "attempt": "1", "finished": datetime.now(UTC).isoformat()}
        put(stack, request_id, "result", metadata)
    return request_id


def send(stack: Stack, body: str) -> None:
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["deadLetterName"])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body)


def put(stack: Stack, request_id: str, what: str, metadata: dict[str, str]) -> None:
    key = object_key("test", stack.name, request_id, what)
    stack.emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}", Metadata=metadata)
