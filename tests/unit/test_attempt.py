"""One attempt: a container that accepts no connection, and a payload that goes from the bucket into it."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from cortex_async import limits
from cortex_async.backoff import PERSISTENT
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.outcome import Action
from cortex_async.http.server import listening
from cortex_async.storage.s3_store import S3Store
from support.aws_answers import bucket, error
from support.dispatching import Switch, attempts, in_flight, message, refusing, taken
from support.memory import MemoryQueue, MemoryStore
from support.processes import free_port
from support.virtual_clock import on_virtual_clock

PAYLOAD = b"x" * 1_000_000


def application(handler: Handler) -> web.Application:
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handler)
    return app


@pytest.mark.parametrize(
    ("stays_ready", "attempt", "action", "code"),
    [
        (False, 1, Action.RETRY, ""),
        (False, 3, Action.RETRY, ""),  # nothing was sent to a container that is down
        (True, 1, Action.RETRY, ""),
        (True, 3, Action.FAIL, "connection_refused"),
    ],
)
@on_virtual_clock
async def test_container_that_accepts_no_connection_is_waited_for_and_counts_if_its_probes_pass(
    stays_ready: bool, attempt: int, action: Action, code: str
) -> None:
    class Suspected(Switch):
        def suspect(self) -> None:
            self.switch(ready=stays_ready)

    store, requests, container = MemoryStore(), in_flight(MemoryQueue()), refusing()
    request = taken(requests, store)
    request.attempt = attempt
    verdict = await attempts(store, container, requests, Suspected()).run(request)
    assert asyncio.get_running_loop().time() == pytest.approx(limits.REFUSED_HOLD_SECONDS)
    assert (verdict.decision.action, verdict.decision.code) == (action, code)
    assert verdict.decision.counts == stays_ready
    assert verdict.decision.dead_letter == (action is Action.FAIL)
    assert (container.posts > 1) == stays_ready


async def test_read_that_breaks_and_is_refused_is_taken_up_once_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The container waits meanwhile, and no attempt is spent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    refusals = 0
    results: list[bytes] = []
    sizes: list[int] = []

    async def objects(request: web.Request) -> web.StreamResponse:
        nonlocal refusals
        if request.method == "PUT":
            results.append(await request.read())
            return web.Response()
        if "Range" in request.headers:
            if refusals < 1:
                refusals += 1
                return error(403, "AccessDenied")
            return web.Response(status=206, body=PAYLOAD[int(request.headers["Range"][6:-1]) :])
        response = web.StreamResponse()
        response.content_length = len(PAYLOAD)
        await response.prepare(request)
        await response.write(PAYLOAD[:300_000])
        assert request.transport is not None
        request.transport.close()
        return response

    async def web_server(request: web.Request) -> web.Response:
        sizes.append(0)
        while piece := await request.content.readany():
            sizes[-1] += len(piece)
        return web.json_response(sizes)

    port = free_port()
    container = Container(port)
    async with (
        asyncio.timeout(60),
        listening(application(web_server), port),
        bucket(objects, PERSISTENT) as s3,
    ):
        store = S3Store(s3, "prefix", "api", PERSISTENT)
        requests = in_flight(MemoryQueue())
        request = taken(requests, store, message(None, len(PAYLOAD)))
        verdict = await attempts(store, container, requests).run(request)
        await container.close()
    assert (verdict.decision.action, sizes, refusals) == (Action.COMPLETE, [len(PAYLOAD)], 1)
    assert results == [f"[{len(PAYLOAD)}]".encode()]
