"""Large bodies that are read past aiohttp: whole, in order, and no client is left without its answer."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from cortex_async import limits
from cortex_async.config import parse
from cortex_async.gateway.app import Gateway
from cortex_async.http.connection import direct_body, error_document
from cortex_async.http.server import listening
from support import raw
from support.api_document import api_document
from support.memory import MemoryQueue, MemoryStore
from support.processes import free_port

SIZE = 6_000_007
BODY = random.Random(1).randbytes(SIZE)
DIGEST = hashlib.sha256(BODY).hexdigest()
STALL_SECONDS = 1.0


def head(path: str, *lines: str, size: int = SIZE) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {size}", *lines, "", ""]).encode()


@asynccontextmanager
async def serving(room: int = limits.DIRECT_BYTES, seen: list[int] | None = None) -> AsyncIterator[int]:
    """Serve `/digest`, which reads all in steps of at most `room`, and `/refuse`, which reads some of it."""

    async def digest(request: web.Request) -> web.Response:
        body = direct_body(request)
        assert body is not None
        read = hashlib.sha256()
        while body.left:
            buffer = bytearray(min(room, body.ahead))
            size = await body.read_into(memoryview(buffer))
            if seen is not None:
                seen.append(size)
            read.update(buffer[:size])
        return web.Response(text=read.hexdigest())

    async def refuse(request: web.Request) -> web.Response:
        body = direct_body(request)
        assert body is not None
        await body.read_into(memoryview(bytearray(1000)))
        return error_document(503, "busy", "come again")

    app = web.Application()
    app.router.add_post("/digest", digest)
    app.router.add_post("/refuse", refuse)
    port = free_port()
    async with asyncio.timeout(raw.WAIT_SECONDS), listening(app, port, raw.WAIT_SECONDS):
        yield port


@asynccontextmanager
async def gateway(store: MemoryStore, queue: MemoryQueue) -> AsyncIterator[int]:
    config = parse(api_document({"name": "api", "gateway": {"endpoint": "/api"}}))
    served = Gateway(config, store, STALL_SECONDS)
    served.queue = queue
    port = free_port()
    async with asyncio.timeout(raw.WAIT_SECONDS), listening(served.application(), port):
        yield port


@pytest.mark.parametrize("room", [1000, limits.DIRECT_BYTES])
@pytest.mark.parametrize("with_head", [0, 1, 100_000, SIZE - 1, SIZE])
async def test_every_byte_comes_in_order_however_it_is_cut(room: int, with_head: int) -> None:
    async with serving(room) as port, raw.Connection(port) as client:
        await client.send(head("/digest") + BODY[:with_head])
        await asyncio.sleep(0.05)
        await client.send(BODY[with_head:])
        answer = await client.answer()
    assert (answer.status, answer.body.decode()) == (200, DIGEST)


async def test_connection_ends_with_the_response_and_the_request_behind_it_gets_none() -> None:
    async with serving() as port, raw.Connection(port) as client:
        await client.send(head("/digest"), BODY, head("/digest", size=2) + b"{}")
        answer = await client.answer()
        assert (answer.body.decode(), answer.headers["connection"]) == (DIGEST, "close")
        assert await client.is_closed()


async def test_connection_stays_when_all_had_come_with_the_head() -> None:
    async with serving() as port, raw.Connection(port) as client:
        for text in (b"{}", b"[]"):
            await client.send(head("/digest", size=2) + text)
            answer = await client.answer()
            assert answer.body.decode() == hashlib.sha256(text).hexdigest()
            assert "connection" not in answer.headers


async def test_client_that_waits_for_its_expectation_or_half_closes_gets_its_answer() -> None:
    async with serving() as port, raw.Connection(port) as client:
        await client.send(head("/digest", "Expect: 100-continue"))
        assert (await client.answer()).status == 100
        await client.send(BODY)
        client.writer.write_eof()
        assert (await client.answer()).body.decode() == DIGEST


async def test_client_that_is_refused_half_way_can_send_the_rest_and_gets_its_answer() -> None:
    async with serving() as port, raw.Connection(port) as client:
        await client.send(head("/refuse") + BODY[:100_000])
        answer = await client.answer()
        assert (answer.status, answer.error, answer.headers["connection"]) == (503, "busy", "close")
        await client.send(BODY[100_000:])
        async with asyncio.timeout(5):  # and not only when aiohttp waits no longer
            assert await client.is_closed()


async def test_what_is_read_at_once_follows_how_fast_it_comes() -> None:
    seen: list[int] = []
    async with serving(seen=seen) as port, raw.Connection(port) as client:
        await client.send(head("/digest"))
        for start in range(0, 100_000, 10_000):
            await client.send(BODY[start : start + 10_000])
            await asyncio.sleep(0.01)
        slow = len(seen)
        await client.send(BODY[100_000:])
        assert (await client.answer()).body.decode() == DIGEST
    assert max(seen[:slow]) <= 2 * limits.READ_AHEAD_BYTES
    assert max(seen[slow:]) > 4 * limits.READ_AHEAD_BYTES


@pytest.mark.parametrize("end", ["stall", "half close", "reset"])
async def test_payload_that_does_not_come_whole_is_no_request(end: str, caplog: pytest.LogCaptureFixture) -> None:
    store, queue = MemoryStore(), MemoryQueue()
    async with gateway(store, queue) as port, raw.Connection(port) as client:
        await client.send(head("/api") + BODY[:1_000_000])
        await asyncio.sleep(0.1)
        match end:
            case "stall":
                assert (await client.answer()).error == "stalled"
            case "half close":
                client.writer.write_eof()
                assert await client.is_closed()
            case "reset":
                client.writer.transport.abort()
                await asyncio.sleep(0.1)
    assert not queue.sent
    assert not store.payloads
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("size", [limits.S3_PART_BYTES, SIZE])
async def test_a_connection_ends_only_for_what_takes_several_parts(size: int) -> None:
    async with gateway(MemoryStore(), MemoryQueue()) as port, raw.Connection(port) as client:
        await client.send(head("/api", size=size), BODY[:size])
        answer = await client.answer()
        assert (answer.status, answer.headers.get("connection") == "close") == (200, size == SIZE)


@pytest.mark.parametrize("body", [BODY, BODY[:-1] + b"x"], ids=["same", "other"])
async def test_large_payload_under_a_key_is_known_by_its_content(body: bytes) -> None:
    async with gateway(MemoryStore(), MemoryQueue()) as port:
        statuses = []
        for each in (BODY, body):
            async with raw.Connection(port) as client:
                await client.send(head("/api", "Idempotency-Key: k"), each)
                statuses.append((await client.answer()).status)
    assert statuses == [200, 200 if body is BODY else 422]
