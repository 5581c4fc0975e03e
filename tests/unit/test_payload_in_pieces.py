"""A payload that is too large for its message, on its way from the bucket into the container."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import S3
from cortex_async.aws.sqs import Received
from cortex_async.config import AwsConfig, parse
from cortex_async.dispatcher.exchange import Exchange
from cortex_async.dispatcher.hand import Hand
from cortex_async.dispatcher.outcome import Action
from cortex_async.dispatcher.probes import Readiness
from cortex_async.dispatcher.target import Target
from cortex_async.http.server import listening
from cortex_async.queue.message import Message
from cortex_async.queue.queue import Queue
from cortex_async.storage.store import Store
from support.api_document import api_document
from support.processes import free_port

PAYLOAD = b"x" * 1_000_000


def application(handler: Handler) -> web.Application:
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handler)
    return app


async def test_read_that_breaks_and_is_refused_is_taken_up_once_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The container waits meanwhile, and no attempt is spent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    refusals = 0
    sizes: list[int] = []

    async def bucket(request: web.Request) -> web.StreamResponse:
        nonlocal refusals
        if "Range" in request.headers:
            if refusals < 1:
                refusals += 1
                return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
            return web.Response(status=206, body=PAYLOAD[int(request.headers["Range"][6:-1]) :])
        response = web.StreamResponse()
        response.content_length = len(PAYLOAD)
        await response.prepare(request)
        await response.write(PAYLOAD[:300_000])
        assert request.transport is not None
        request.transport.close()
        return response

    async def container(request: web.Request) -> web.Response:
        sizes.append(0)
        async for piece in cast(AsyncIterator[bytes], request.content.iter_any()):
            sizes[-1] += len(piece)
        return web.json_response(sizes)

    hand = Hand(cast(Queue, None), 60)
    held = hand.take(Message("0" * 36, (), "", None, len(PAYLOAD)), Received("message", "receipt", "", 1))
    assert held is not None
    s3_port, port = free_port(), free_port()
    target = Target(port)
    async with (
        asyncio.timeout(60),
        listening(application(bucket), s3_port),
        listening(application(container), port),
        AwsSession(AwsConfig("us-west-2", f"http://127.0.0.1:{s3_port}")) as session,
    ):
        store = Store(S3(session, "bucket"), "prefix", "api")
        exchange = Exchange(parse(api_document()), store, target, cast(Readiness, None), lambda _: None)
        reply = await exchange.run(held)
        await target.close()
    assert (reply.decision.action, sizes, refusals) == (Action.COMPLETE, [len(PAYLOAD)], 1)
