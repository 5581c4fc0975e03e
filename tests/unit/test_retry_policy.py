"""A call to AWS ends when the time of its policy does, whatever it waits for; a body may take longer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from cortex_async.aws.client import AwsSession, Call, Service
from cortex_async.backoff import PERSISTENT, SINGLE_TRY, RetryPolicy
from cortex_async.config import AwsConfig
from cortex_async.errors import AwsUnavailable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Handler, RetryPolicy], Awaitable[Service]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
LATE_SECONDS = 0.5
GET = Call("GetObject", "GET", "/bucket/key", read_seconds=3600)  # only the policy ends it


@pytest_asyncio.fixture
async def serve(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """Start a server that does as told with every connection, and give the service on it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []
    sessions: list[AwsSession] = []

    async def start(handler: Handler, policy: RetryPolicy) -> Service:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        session = AwsSession(AwsConfig("us-west-2", url))
        sessions.append(session)
        return Service(session, "s3", url, policy)

    yield start
    for session in sessions:
        await session.http.close()
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()
        await server.wait_closed()


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


async def test_silent_server_is_given_up_when_the_time_ends(serve: Serve) -> None:
    service = await serve(silent, RetryPolicy(0.2))
    async with asyncio.timeout(60):
        with pytest.raises(AwsUnavailable):
            await service.send(GET)


async def test_body_of_an_opened_object_may_outlast_the_time(serve: Serve) -> None:
    for seconds in (0.25, 1, 4, 14):  # a slow machine may need the longer ones for the head
        service = await serve(slow_body(2 * seconds), RetryPolicy(seconds))
        try:
            response = await service.open(GET)
        except AwsUnavailable:
            continue
        async with response:
            assert await response.read() == b"abcdef"
        return
    pytest.fail("never opened")


@pytest.mark.parametrize("policy", [SINGLE_TRY, PERSISTENT])
async def test_single_try_and_endless_patience_wait_for_a_late_answer(serve: Serve, policy: RetryPolicy) -> None:
    async with await (await serve(late, policy)).open(GET) as response:
        assert await response.read() == b"abcdef"


async def test_call_waits_for_keys_no_longer_than_its_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: gate.wait())
    service = await serve(silent, RetryPolicy(0.2))
    try:
        async with asyncio.timeout(60):
            with pytest.raises(AwsUnavailable, match="credentials"):
                await service.send(GET)
    finally:
        gate.set()
