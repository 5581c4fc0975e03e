"""A large payload goes to S3 by a presigned URL, past the gateway, and is submitted by the id of its upload."""

import hashlib
import io
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    made = make_stack({"gateway": {"uploads": True, "maxPayloadMiB": 4}})
    made.all()
    return made


async def begun(stack: Stack, http: aiohttp.ClientSession, document: Any) -> tuple[int, dict[str, Any]]:
    async with http.post(f"{stack.url}/uploads", json=document) as response:
        return response.status, await response.json()


async def uploaded(stack: Stack, http: aiohttp.ClientSession, payload: bytes) -> str:
    status, document = await begun(stack, http, {"size": len(payload)})
    assert status == 200
    async with http.put(document["upload_url"], data=io.BytesIO(payload)) as response:
        assert response.status < 300
    return str(document["id"])


async def refused(stack: Stack, http: aiohttp.ClientSession, upload_id: str, body: bytes = b"") -> str:
    async with http.post(stack.url, data=body, headers={"X-Cortex-Upload-ID": upload_id}) as response:
        assert response.status == 400
        return str((await response.json())["error"]["code"])


@pytest.mark.parametrize("key", [None, "a key"])
async def test_upload_is_the_payload(stack: Stack, http: aiohttp.ClientSession, key: str | None) -> None:
    payload = os.urandom(3_000_000)
    upload_id = await uploaded(stack, http, payload)
    api = Client(stack, http)
    headers = {"X-Cortex-Upload-ID": upload_id, "Content-Type": "image/png"} | (
        {"Idempotency-Key": key} if key else {}
    )
    request_id = await api.submit(headers=headers, query="?a=1")
    result = (await api.ended(request_id))["result"]
    assert (result["sha256"], result["query"]) == (hashlib.sha256(payload).hexdigest(), "a=1")
    assert ["Content-Type", "image/png"] in result["headers"]
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert not [each for each in stack.objects() if each.endswith("/payload")]
    if key is None:
        assert await refused(stack, http, upload_id) == "invalid_upload"  # it is gone


async def test_url_is_for_the_announced_size_alone(stack: Stack, http: aiohttp.ClientSession) -> None:
    _, document = await begun(stack, http, {"size": 3})
    (signed,) = parse_qs(urlsplit(document["upload_url"]).query)["X-Amz-SignedHeaders"]
    assert signed == "content-length;host"


async def test_what_is_no_upload_is_refused(stack: Stack, http: aiohttp.ClientSession) -> None:
    status, document = await begun(stack, http, {"size": 4 * 2**20 + 1})
    assert (status, document["error"]["code"]) == (413, "payload_too_large")
    wrong: list[Any] = [{}, {"size": -1}, {"size": "3"}, [], {"size": 3, "more": "x" * 5000}]
    for each in wrong:
        status, document = await begun(stack, http, each)
        assert (status, document["error"]["code"]) == (400, "invalid_upload")
    assert await refused(stack, http, "none") == "invalid_upload"
    _, document = await begun(stack, http, {"size": 3})
    assert await refused(stack, http, document["id"]) == "invalid_upload"  # nothing was uploaded
    assert await refused(stack, http, await uploaded(stack, http, b"abc"), b"a body") == "invalid_upload"


async def test_without_the_setting_there_are_no_uploads(api: Client) -> None:
    status, _ = await begun(api.stack, api.http, {"size": 3})
    assert status == 405
    assert await refused(api.stack, api.http, "none") == "invalid_upload"
