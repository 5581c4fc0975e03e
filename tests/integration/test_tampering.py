"""What somebody else writes into the bucket and on the queue holds no slot, and gets nothing into a container."""

import io
import json
from collections.abc import Callable

import aiohttp
import pytest

from cortex_async.request_id import RequestIds
from cortex_async.storage.s3_store import object_key
from support.processes import wait_until
from support.stack import BUCKET, Client, Stack


@pytest.mark.parametrize("size", [0, 1, 399_999, 400_001])
async def test_payload_of_another_size_fails_with_a_reason(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession, size: int
) -> None:
    stack = make_stack()
    stack.provision()
    stack.gateway()
    client = Client(stack, http)
    request_id = await client.submit(io.BytesIO(bytes(400_000)))
    key = object_key("test", stack.name, request_id, "payload")
    stack.emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=bytes(size))
    stack.web_server()
    stack.dispatcher()
    error = (await client.ended(request_id))["error"]
    assert (error["code"], error["attempts"]) == ("payload_damaged", 1)
    assert stack.started() == []
    assert await client.completed(query="?answer=1") == 1  # the slot is free


def send(stack: Stack, request_id: str, query: str, headers: list[list[str]]) -> None:
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    document = {"version": 1, "id": request_id, "query": query, "headers": headers, "payload": {"text": "{}"}}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(document))


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("a=1 HTTP/1.1\r\nX-Injected: 1\r\nX: ", []),
        ("a=1\nX-Injected: 1", []),
        ("", [["X-A", "b\r\nX-Injected: 1"]]),
        ("", [["X-A", "b\nX-Injected: 1"]]),
        ("", [["X-A: b\r\nX-Injected", "1"]]),
        ("", [["X A", "1"]]),
        ("", [["", "1"]]),
    ],
)
async def test_message_cannot_inject_into_the_request(
    own_api: Client, query: str, headers: list[list[str]]
) -> None:
    stack = own_api.stack
    send(stack, RequestIds("test", stack.name).issue(), query, headers)
    request_id = RequestIds("test", stack.name).issue()
    send(stack, request_id, "a=1", [["X-A", "b"]])
    assert ["X-A", "b"] in (await own_api.ended(request_id))["result"]["headers"]
    wait_until("the refusal", lambda: "not ours" in stack.latest("dispatcher").log)
    assert stack.started() == [request_id]


@pytest.mark.parametrize(
    "name", ["X-Cortex-Request-ID", "x-cortex_request_id", "Content-Length", "Host", "Connection"]
)
async def test_message_cannot_override_what_is_ours(own_api: Client, name: str) -> None:
    stack = own_api.stack
    request_id = RequestIds("test", stack.name).issue()
    send(stack, request_id, "", [[name, "7"], ["X-A", "b"]])
    headers = (await own_api.ended(request_id))["result"]["headers"]
    assert [value for key, value in headers if key.lower() == "x-cortex-request-id"] == [request_id]
    assert [value for key, value in headers if key == "X-A"] == ["b"]
    assert [name, "7"] not in headers
