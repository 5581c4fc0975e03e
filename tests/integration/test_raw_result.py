"""The bytes of a result, of any type that the values allow, whole, in part, or from S3 itself."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

import cortex.request
from support.stack import Client, Stack

ANY = {"pod": {"resultContentTypes": ["image/png", "text/*"]}, "gateway": {"redirectOverMiB": 1}}


@pytest.fixture(scope="module")
def stack(emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Stack(emulator, tmp_path_factory.mktemp("raw"), ANY)
    made.all()
    yield made
    made.stop()


async def ended(stack: Stack, http: aiohttp.ClientSession, query: str) -> dict[str, Any]:
    api = Client(stack, http)
    return await api.ended(await api.submit(query=query))


async def test_json_is_given_byte_for_byte(stack: Stack, http: aiohttp.ClientSession) -> None:
    document = await ended(stack, http, "?answer=[1.0,%201e400]")
    async with http.get(f"{stack.url}/{document['id']}/result") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.read() == b"[1.0, 1e400]"
        assert response.headers["X-Cortex-Request-ID"] == document["id"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize("content_type", ["image/png", "text/html; charset=utf-8", "Text/CSV"])
async def test_other_types_are_results_where_the_values_allow_them(
    stack: Stack, http: aiohttp.ClientSession, content_type: str
) -> None:
    api = Client(stack, http)
    request_id = await api.submit(query=f"?answer=no%20JSON&type={content_type.replace(' ', '%20')}")
    document = await api.ended(request_id)
    url = f"{stack.url}/{request_id}/result"
    assert (document["status"], document["result"], document["result_url"]) == ("completed", None, url)
    assert document["content_type"] == content_type
    async with http.get(url) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, content_type)
        assert await response.read() == b"no JSON"
    request = cortex.request.Request(request_id, f"{stack.url}/{request_id}")
    assert await asyncio.to_thread(request.result, 60) == b"no JSON"


async def test_other_types_fail_where_they_do_not(stack: Stack, http: aiohttp.ClientSession) -> None:
    document = await ended(stack, http, "?answer=x&type=image/gif")
    assert document["error"]["code"] == "invalid_result"


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "expected"),
    [
        ("bytes=0-3", 206, "bytes 0-3/10", b"abcd"),
        ("bytes=4-", 206, "bytes 4-9/10", b"efghij"),
        ("bytes=-2", 206, "bytes 8-9/10", b"ij"),
        ("bytes=8-100", 206, "bytes 8-9/10", b"ij"),
        ("bytes=0-", 200, None, b"abcdefghij"),
        ("bytes=0-1,3-4", 200, None, b"abcdefghij"),
        ("lines=0-1", 200, None, b"abcdefghij"),
    ],
)
async def test_a_part_of_a_result(
    stack: Stack,
    http: aiohttp.ClientSession,
    asked: str,
    status: int,
    content_range: str | None,
    expected: bytes,
) -> None:
    document = await ended(stack, http, "?answer=abcdefghij&type=text/plain")
    async with http.get(f"{stack.url}/{document['id']}/result", headers={"Range": asked}) as response:
        assert (response.status, response.headers.get("Content-Range")) == (status, content_range)
        assert await response.read() == expected


async def test_a_part_that_is_not_there_and_what_the_client_has_already(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    document = await ended(stack, http, "?answer=abcdefghij&type=text/plain")
    url = f"{stack.url}/{document['id']}/result"
    async with http.get(url, headers={"Range": "bytes=10-"}) as response:
        assert (response.status, response.headers["Content-Range"]) == (416, "bytes */10")
    async with http.get(url) as response:
        etag = response.headers["ETag"]
    async with http.get(url, headers={"If-None-Match": f'"other", {etag}'}) as response:
        assert (response.status, await response.read()) == (304, b"")
    for condition, status in ((etag, 206), ('"other"', 200)):
        async with http.get(url, headers={"Range": "bytes=0-0", "If-Range": condition}) as response:
            assert response.status == status


async def test_large_results_are_read_from_s3(stack: Stack, http: aiohttp.ClientSession) -> None:
    document = await ended(stack, http, "?fill=2000000")
    url = f"{stack.url}/{document['id']}/result"
    async with http.get(url, allow_redirects=False) as response:
        assert response.status == 307
        assert response.headers["Location"].startswith(stack.emulator.url)
    async with http.get(url) as response:
        assert await response.read() == b'"' + b"x" * 2_000_000 + b'"'


async def test_there_is_none_of_what_failed_or_goes_on(
    make_stack: Callable[..., Stack], stack: Stack, http: aiohttp.ClientSession
) -> None:
    failed = (await ended(stack, http, "?status=418"))["id"]
    waiting = await Client(stack, http).submit(query="?status=503&retry_after=900")
    for request_id, code in ((failed, "no_result"), (waiting, "no_result"), ("x", "unknown_id")):
        async with http.get(f"{stack.url}/{request_id}/result") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, code)
