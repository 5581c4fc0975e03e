"""A call to AWS ends when its caller's patience does, whatever it is waiting for; a body may take its time."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import S3
from cortex_async.config import AwsConfig
from cortex_async.errors import AwsUnavailable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[S3]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
LATE_SECONDS = 0.5


@pytest_asyncio.fixture
async def serve(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """Start a server that does as told with every connection, and give a bucket on it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []
    sessions: list[AwsSession] = []

    async def start(handler: Handler) -> S3:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        session = AwsSession(AwsConfig("us-west-2", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        sessions.append(session)
        return S3(session, "bucket")

    yield start
    for session in sessions:
        await session.http.close()
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()
        await server.wait_closed()


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Take the request, and say nothing."""


async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(LATE_SECONDS)
    writer.write(HEAD + b"abcdef")


def slow_body(seconds: float) -> Handler:
    async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"abc")
        await asyncio.sleep(seconds)
        writer.write(b"def")

    return handler


async def test_silent_server_is_given_up_when_patience_ends(serve: Serve) -> None:
    s3 = await serve(silent)
    async with asyncio.timeout(25):
        with ends_within(20), pytest.raises(AwsUnavailable):
            await s3.head("key", 0.2)


async def test_body_of_an_opened_object_may_outlast_the_patience(serve: Serve) -> None:
    for patience in (0.25, 1, 4, 14):  # a slow machine may need the longer ones for the head
        s3 = await serve(slow_body(2 * patience))
        try:
            response = await s3.open("key", patience)
        except AwsUnavailable:
            continue
        async with response:
            assert await response.read() == b"abcdef"
        return
    pytest.fail("never opened")


@pytest.mark.parametrize("patience", [0, None])
async def test_single_try_and_endless_patience_wait_for_a_late_answer(
    serve: Serve, patience: float | None
) -> None:
    async with await (await serve(late)).open("key", patience) as response:
        assert await response.read() == b"abcdef"


async def test_call_waits_for_keys_no_longer_than_its_patience(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: gate.wait(60))
    s3 = await serve(silent)
    try:
        with ends_within(20), pytest.raises(AwsUnavailable, match="credentials"):
            await s3.head("key", 0.2)
    finally:
        gate.set()
