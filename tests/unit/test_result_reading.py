"""A result that is read while its connections break, and one that was restored without its metadata."""

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from cortex_async.aws.s3 import S3
from cortex_async.config import parse
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from cortex_async.request_id import RequestIds
from cortex_async.storage.store import Store
from support.api_document import api_document
from support.aws_answers import bucket
from support.processes import free_port

PATIENCE = 0.2


class BreakingResponse:
    """A response that brings three bytes, then breaks after longer than the reader's patience."""

    def __init__(self, start: int) -> None:
        self._start = start
        self.content = SimpleNamespace(iter_any=self._pieces)

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"0123456789"[self._start : self._start + 3]
        await asyncio.sleep(1.5 * PATIENCE)
        raise aiohttp.ClientPayloadError


class BreakingBucket:
    async def open(self, key: str, patience: float | None, start: int = 0) -> BreakingResponse:
        return BreakingResponse(start)


async def test_read_that_breaks_often_goes_on_while_each_try_brings_something() -> None:
    store = Store(cast(S3, BreakingBucket()), "prefix", "api")
    pieces = store.payload(RequestIds("c", "api").issue(), 10, PATIENCE)
    assert b"".join([piece async for piece in pieces]) == b"0123456789"


async def test_sign_without_its_number_counts_as_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with bucket(handler) as s3:
        assert await Store(s3, "prefix", "api").attempts_begun(RequestIds("c", "api").issue(), 10) == 1


@pytest.mark.parametrize("metadata", [{}, {"x-amz-meta-status": "done", "x-amz-meta-attempt": "first"}])
async def test_result_without_its_metadata_is_answered_by_a_document_that_says_so(
    monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="1", headers=metadata)

    config = parse(api_document({"name": "api", "gateway": {"endpoint": "/api"}}))
    request_id = RequestIds(config.cluster_name, config.name).issue()
    port = free_port()
    async with bucket(handler) as s3, aiohttp.ClientSession() as http:
        app = Gateway(config, Store(s3, "prefix", config.name), 60).application()
        async with listening(app, port), http.get(f"http://127.0.0.1:{port}/api/{request_id}") as response:
            document: dict[str, Any] = json.loads(await response.read())
    assert (response.status, document["error"]["code"]) == (500, "damaged_result")
    assert "metadata" in document["error"]["message"]
