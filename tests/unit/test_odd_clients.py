"""Clients that are unusual, and within their rights: they get their answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from cortex_async.config import parse
from cortex_async.dispatcher.outcome import Attempts, retry_delay
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from support import raw
from support.api_document import api_document
from support.processes import free_port


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    async def echo(request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(0.1)
        return web.Response(body=body)

    app = web.Application()
    app.router.add_post("/echo", echo)
    port = free_port()
    async with asyncio.timeout(raw.WAIT_SECONDS), listening(app, port, 30):
        yield port


@pytest.mark.parametrize("gap", [0, 0.05])
async def test_client_that_half_closes_gets_its_answer(gap: float) -> None:
    async with serving() as port, raw.Connection(port) as client:
        await client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        await asyncio.sleep(gap)
        client.writer.write_eof()
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"hello")
        assert await client.is_closed()


@pytest.mark.parametrize(
    "sent", [b"", b"POST /echo HTTP/1.1\r\n", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"]
)
async def test_client_that_half_closes_too_early_is_let_go_at_once(sent: bytes) -> None:
    async with serving() as port, raw.Connection(port) as client:
        await client.send(sent)
        client.writer.write_eof()
        async with asyncio.timeout(10):
            await client.reader.read()


@pytest.mark.parametrize(
    "head", [b"POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /no HTTP/1.1\r\nHost: x\r\n\r\n", b"no HTTP\r\n\r\n"]
)
async def test_no_answer_tells_what_server_this_is(head: bytes) -> None:
    async with serving() as port:
        assert "server" not in (await raw.exchange(port, head)).headers


@pytest.mark.parametrize("path", [b"/echo", b"/no", b"/"])
async def test_expectation_in_no_utf8_is_refused_and_no_defect(path: bytes) -> None:
    async with serving() as port:
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: \xff\r\n\r\n1" % path
        answer = await raw.exchange(port, head)
    assert (answer.status, answer.error) == (417, "expectation_failed")


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
async def test_no_other_version_of_http_is_answered_in_its_name(version: bytes) -> None:
    async with serving() as port, raw.Connection(port) as client:
        head = b"POST /echo %b\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        await client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" + head % version)
        assert (await client.answer()).body == b"hi"
        answer = await client.answer()
        assert (answer.status, answer.error) == (505, "http_version_not_supported")
        assert await client.is_closed()


async def test_http_1_0_gets_no_interim_answer() -> None:
    gateway = Gateway(parse(api_document({"gateway": {"endpoint": "/api"}})), None, 30)  # type: ignore[arg-type]
    port = free_port()
    async with listening(gateway.application(), port, 30):
        head = b"POST /api HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n1"
        assert (await raw.exchange(port, head)).status == 503  # there is no queue yet


@pytest.mark.parametrize("retry_after", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_retry_after_of_nothing_does_not_burn_all_attempts_at_once(retry_after: str) -> None:
    assert [retry_delay(Attempts(attempt, 4), retry_after) for attempt in (1, 2, 3)] == [1, 2, 4]
