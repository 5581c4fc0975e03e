"""Objects of any size: sent in as few calls as may be, and read on where a connection broke."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from cortex_async import limits
from cortex_async.aws.s3 import S3
from cortex_async.backoff import PATIENT, PERSISTENT, RetryPolicy
from cortex_async.config import parse
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from cortex_async.limits import S3_PART_BYTES
from cortex_async.request_id import RequestIds
from cortex_async.storage import s3_store
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import Progress
from cortex_async.storage.s3_store import S3Store
from cortex_async.storage.source import Pieces
from support.api_document import api_document
from support.aws_answers import bucket
from support.processes import free_port
from support.virtual_clock import on_virtual_clock

ID = RequestIds("c", "api").issue()
SECONDS = 10.0


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


class RecordingBucket:
    """Answers as S3 does, and keeps the objects that are complete: one of parts in the order of its completion."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}  # by ETag
        self.objects: list[bytes] = []
        self.calls: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method == "PUT":
            is_part = "partNumber" in request.query
            self.calls.append("add" if is_part else "put")
            if not is_part:
                self.objects.append(body)
            etag = f"{request.query.get('partNumber')}-{len(self.parts)}"
            self.parts[etag] = body
            return web.Response(headers={"ETag": etag})
        self.calls.append("begin" if "uploads" in request.query else "complete")
        if self.calls[-1] == "complete":
            listed = re.findall("<PartNumber>([0-9]+)</PartNumber><ETag>(([0-9]+)-[0-9]+)</ETag>", body.decode())
            assert [number for number, _, _ in listed] == [number for _, _, number in listed]
            self.objects.append(b"".join(self.parts[etag] for _, etag, _ in listed))
        return web.Response(text="<R><UploadId>upload</UploadId></R>", content_type="application/xml")


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("size", "calls"),
    [
        (0, ["put"]),
        (1, ["put"]),
        (S3_PART_BYTES, ["put"]),
        (S3_PART_BYTES + 1, ["begin", "add", "add", "complete"]),
        (2 * S3_PART_BYTES, ["begin", "add", "add", "complete"]),
        (2 * S3_PART_BYTES + 7, ["begin", "add", "add", "add", "complete"]),
    ],
)
@pytest.mark.parametrize("piece", [300_007, 12_000_000])
@pytest.mark.parametrize("is_announced", [True, False])
async def test_object_is_sent_whole_in_as_few_parts_as_may_be(
    size: int, calls: list[str], piece: int, is_announced: bool
) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    received = RecordingBucket()
    async with asyncio.timeout(60), bucket(received.answer) as s3:
        store = S3Store(s3, "prefix", "api", PERSISTENT)
        stored = await store.put_payload(ID, Pieces(in_pieces(data, piece)), size if is_announced else None)
    assert (stored, received.calls, received.objects == [data]) == (size, calls, True)


async def test_memory_of_parts_is_given_back_though_the_payload_fails_before_they_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A piece that is there already is taken without waiting, so that the part before it has not begun to go."""
    budget = MemoryBudget()
    monkeypatch.setattr(s3_store, "MemoryBudget", lambda: budget)

    async def failing() -> AsyncIterator[bytes]:
        yield bytes(S3_PART_BYTES)
        yield bytes(S3_PART_BYTES)
        yield b"x"
        raise ValueError("cut")

    async with asyncio.timeout(60), bucket(RecordingBucket().answer) as s3:
        with pytest.raises(ValueError, match="cut"):
            await S3Store(s3, "prefix", "api", PERSISTENT).put_payload(ID, Pieces(failing()), None)
    async with asyncio.timeout(1):
        await budget.take(limits.UPLOAD_MEMORY_BYTES, may_exceed=False)


@pytest.mark.parametrize("policy", [PERSISTENT, PATIENT], ids=["results", "payloads"])
async def test_many_uploads_at_once_all_end_though_there_is_memory_for_two(
    monkeypatch: pytest.MonkeyPatch, policy: RetryPolicy
) -> None:
    monkeypatch.setattr(s3_store, "MemoryBudget", lambda: MemoryBudget(2 * S3_PART_BYTES))
    received = RecordingBucket()
    data = bytes(S3_PART_BYTES + 400_000)
    async with asyncio.timeout(60), bucket(received.answer, PERSISTENT) as s3:
        store = S3Store(s3, "prefix", "api", policy)
        uploads = [store.put_payload(ID, Pieces(in_pieces(data, 200_000)), None) for _ in range(10)]
        assert await asyncio.gather(*uploads) == [len(data)] * 10
    assert received.calls.count("complete") == 10
    assert received.objects == [data] * 10


class BreakingResponse:
    """A response that brings three bytes, then breaks after longer than the reader would try without any."""

    def __init__(self, start: int) -> None:
        self._start = start
        self.content = SimpleNamespace(iter_chunked=lambda _: self._pieces())
        self.content_length = 10 - start

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"0123456789"[self._start : self._start + 3]
        await asyncio.sleep(1.5 * SECONDS)
        raise aiohttp.ClientPayloadError


class BreakingBucket(S3):
    def __init__(self) -> None: ...

    async def open(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str = "", is_optional: bool = False
    ) -> aiohttp.ClientResponse:
        return cast(aiohttp.ClientResponse, BreakingResponse(start))


@on_virtual_clock
async def test_read_that_breaks_often_goes_on_while_each_try_brings_something() -> None:
    store = S3Store(BreakingBucket(), "prefix", "api", RetryPolicy(SECONDS))
    assert b"".join([piece async for piece in store.payload(ID, 10)]) == b"0123456789"


async def test_mark_without_its_number_counts_as_one_attempt() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with asyncio.timeout(60), bucket(handler) as s3:
        assert await S3Store(s3, "prefix", "api", PERSISTENT).progress(ID) == Progress(1)


@pytest.mark.parametrize("metadata", [{}, {"x-amz-meta-status": "done", "x-amz-meta-attempt": "first"}])
async def test_result_without_its_metadata_is_answered_by_a_document_that_says_so(
    metadata: dict[str, str],
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="1", headers=metadata)

    config = parse(api_document({"name": "api", "gateway": {"endpoint": "/api"}}))
    request_id = RequestIds(config.cluster_name, config.name).issue()
    port = free_port()
    async with asyncio.timeout(60), bucket(handler) as s3, aiohttp.ClientSession() as http:
        app = Gateway(config, S3Store(s3, "prefix", config.name, PERSISTENT), 60).application()
        async with listening(app, port), http.get(f"http://127.0.0.1:{port}/api/{request_id}") as response:
            document: dict[str, Any] = json.loads(await response.read())
    assert (response.status, document["error"]["code"]) == (500, "damaged_result")
    assert "metadata" in document["error"]["message"]
