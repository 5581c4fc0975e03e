"""Clients that say nothing, and clients that do not read: their connections end, and nobody else's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from cortex_async import limits
from cortex_async.http.server import listening
from support import raw
from support.processes import free_port

STALL_SECONDS = 1.0
MIB = 2**20
GET = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def serving(stall_seconds: float = STALL_SECONDS) -> AsyncIterator[int]:
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(MIB))

    app = web.Application()
    app.router.add_get("/large", large)
    port = free_port()
    async with asyncio.timeout(raw.WAIT_SECONDS), listening(app, port, stall_seconds):
        yield port


@asynccontextmanager
async def slow_client(port: int) -> AsyncIterator[socket.socket]:
    """A socket whose kernel takes little more than what is read of it."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        yield client


async def test_connection_that_says_nothing_ends_without_a_word() -> None:
    async with serving() as port, raw.Connection(port) as connection:
        assert await connection.reader.read() == b""


async def test_idle_connection_ends_long_after_its_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.IDLE_SECONDS > 600  # of Google's load balancer, which keeps connections longest
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.5)
    async with serving(stall_seconds=raw.WAIT_SECONDS) as port, raw.Connection(port) as connection:
        await connection.send(GET)
        assert (await connection.answer()).status == 200
        assert await connection.is_closed()


@pytest.mark.parametrize("requests", [20, 20_000])
async def test_client_that_reads_nothing_is_let_go(requests: int) -> None:
    loop = asyncio.get_running_loop()
    async with serving() as port, slow_client(port) as client:
        with suppress(ConnectionError):
            await loop.sock_sendall(client, GET * requests)
            while True:  # to send is what tells of a connection that was aborted
                await asyncio.sleep(0.05)
                await loop.sock_sendall(client, b"\r\n")


async def test_client_that_reads_slowly_gets_all() -> None:
    """So slowly that the kernel, which holds MBs for it, takes nothing more from the server for longer."""
    loop = asyncio.get_running_loop()
    requests = 12
    async with serving() as port, slow_client(port) as client:
        await loop.sock_sendall(client, GET * requests)
        end = loop.time() + 2.5 * STALL_SECONDS
        size = 0
        while size < requests * MIB:
            piece = await loop.sock_recv(client, 16_384)
            assert piece, f"cut after {size} bytes"
            size += len(piece)
            if loop.time() < end:
                await asyncio.sleep(STALL_SECONDS / 10)
