"""What a server sends without being asked is nobody's answer, and what broke is not whole."""

import asyncio
import gzip
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.response_body import json_pieces
from cortex_async.http.overrides import InvalidResponse
from cortex_async.queue.message import Message
from cortex_async.request_id import RequestIds
from support.processes import free_port

IDS = RequestIds("test", "api")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


@asynccontextmanager
async def container(serve: Serve) -> AsyncIterator[Container]:
    port = free_port()
    served: list[asyncio.Task[Any]] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())  # type: ignore[arg-type]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
            await reader.read()  # until the client goes
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port)
    client = Container(port)
    try:
        yield client
    finally:
        await client.close()
        server.close()
        await asyncio.gather(*served)


async def body_of(client: Container) -> bytes:
    async with asyncio.timeout(30), client.post(Message(IDS.issue(), (), "", b"", 0), b"") as response:
        return b"".join([piece async for piece in json_pieces(response)])


UNASKED = {
    "later": (answer(b'"own"'), answer(b'"foreign"')),
    "begun with the end of the first": (answer(b'"own"') + b"HTTP/1.1 200 O", b"K\r\nContent-Length: 1\r\n\r\n1"),
    "at once": (answer(b'"own"') + answer(b'"foreign"'), b""),
    "in the piece that ends the first": (answer(b'"own"')[:-1], b'"' + answer(b'"foreign"')),
    "no response at all": (answer(b'"own"'), b"x"),
}


@pytest.mark.parametrize("pieces", UNASKED.values(), ids=UNASKED)
async def test_answer_that_nobody_asked_for_is_nobodys(pieces: tuple[bytes, bytes]) -> None:
    connections = 0
    sent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        await reader.readuntil(b"\r\n\r\n")
        if number > 1:
            writer.write(answer(b'"second"'))
            return
        writer.write(pieces[0])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(pieces[1])
        await writer.drain()
        await asyncio.sleep(0.05)
        sent.set()

    async with container(serve) as client:
        assert await body_of(client) == b'"own"'
        await sent.wait()
        assert await body_of(client) == b'"second"'


async def test_answer_that_arrives_while_this_process_is_busy_is_nobodys() -> None:
    """The bytes are with the kernel, and the event loop has not read them yet."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"%d" % len(writers)))

    async with container(serve) as client:
        assert await body_of(client) == b"1"
        writers[0].write(answer(b'"foreign"'))  # goes to the kernel at once
        assert await body_of(client) == b"2"


async def test_connection_is_used_again_after_a_whole_answer() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(0.02)
            writer.write(answer(b"%d" % connections))

    async with container(serve) as client:
        assert [await body_of(client) for _ in range(3)] == [b"1"] * 3


def reset(writer: asyncio.StreamWriter) -> None:
    sock: Any = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset, not an end
    writer.transport.abort()


async def test_answer_that_a_reset_ends_is_broken() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n1234")
        await writer.drain()
        await asyncio.sleep(0.05)
        reset(writer)

    async with container(serve) as client:
        with pytest.raises(aiohttp.ClientError) as broken:
            await body_of(client)
    assert not isinstance(broken.value, InvalidResponse)


async def test_answer_that_its_connection_ends_is_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n1234")
        writer.close()

    async with container(serve) as client:
        assert await body_of(client) == b"1234"


DOCUMENT = b'"' + bytes(range(65, 91)) * 10_000 + b'"'
RAW_DEFLATE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": ("gzip", gzip.compress(DOCUMENT)),
    "x-gzip": ("X-Gzip", gzip.compress(DOCUMENT)),
    "gzip of two members": ("gzip", gzip.compress(DOCUMENT[:100]) + gzip.compress(DOCUMENT[100:]) + bytes(8)),
    "deflate": ("deflate", zlib.compress(DOCUMENT)),
    "deflate without its header": ("deflate", RAW_DEFLATE.compress(DOCUMENT) + RAW_DEFLATE.flush()),
    "identity": ("identity", DOCUMENT),
}


async def coded_answer(coding: str, body: bytes, pieces: int = 1) -> bytes:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        whole = answer(body, f"Content-Encoding: {coding}\r\n")
        for start in range(0, len(whole), len(whole) // pieces):
            writer.write(whole[start : start + len(whole) // pieces])
            await writer.drain()
            await asyncio.sleep(0)

    async with container(serve) as client:
        return await body_of(client)


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize(("coding", "body"), CODED.values(), ids=CODED)
async def test_content_coding_is_undone(coding: str, body: bytes, pieces: int) -> None:
    assert await coded_answer(coding, body, pieces) == DOCUMENT


@pytest.mark.parametrize("cut", [1, 8, 12, 100])  # the gzip trailer is 8 bytes
async def test_coded_body_without_its_end_is_broken(cut: int) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await coded_answer("gzip", gzip.compress(b"1234" + b" " * 100_000)[:-cut])


@pytest.mark.parametrize(
    ("coding", "body"),
    [("br", b"1"), ("gzip", b"{}"), ("gzip", gzip.compress(b"1", mtime=0) + b"{}"), ("gzip, gzip", b"1")],
)
async def test_coding_that_cannot_be_undone_is_invalid(coding: str, body: bytes) -> None:
    with pytest.raises(InvalidResponse):
        await coded_answer(coding, body)
