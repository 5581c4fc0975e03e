"""What somebody else writes into the bucket and on the queue holds no slot, and gets nothing into a container."""

import io
from collections.abc import Callable

import aiohttp
import pytest

from cortex_async.storage.s3_store import object_key
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
