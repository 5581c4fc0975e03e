"""What every long-running process of ours does alike: listen, and hear that it is to stop."""

import asyncio
import functools
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from cortex_async import limits
from cortex_async.errors import CortexError
from cortex_async.http.connection import Connection
from cortex_async.http.guard import Guard


class CannotListen(CortexError):
    """The port is not to be had."""


@asynccontextmanager
async def listening(
    app: web.Application, port: int, stall_seconds: float = limits.STALLED_SECONDS, guard: Guard | None = None
) -> AsyncIterator[web.AppRunner]:
    """Serve `app` on all interfaces; at the end open requests are finished first. Raises CannotListen.

    A client is let go that sends no whole head, or takes no byte of its answer, for `stall_seconds`. `guard`
    bounds what all of them take.
    """
    guard = guard or Guard()
    asyncio.get_running_loop().set_exception_handler(guard.on_loop_error)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    manager = runner.server
    assert manager is not None
    manager.request_factory = functools.partial(app._make_request, _cls=_Request)

    def connection() -> Connection:
        return Connection(
            manager,
            stall_seconds,
            guard,
            keepalive_timeout=limits.IDLE_SECONDS,
            access_log=None,
            auto_decompress=False,
            read_bufsize=limits.READ_AHEAD_BYTES,
        )

    try:
        listener = await _listen(connection, port)
        try:
            yield runner
        finally:
            listener.close()
    finally:
        await runner.cleanup()


async def _listen(factory: Callable[[], Connection], port: int) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        # On IPv4 and IPv6. asyncio accepts as many at once as are its backlog; the kernel's is set after it.
        server = await loop.create_server(factory, None, port, backlog=limits.ACCEPTED_AT_ONCE)
        for listener in server.sockets:
            with socket.socket(fileno=os.dup(listener.fileno())) as same:
                same.listen(limits.BACKLOG)
        return server
    except OSError as error:
        raise CannotListen(
            f"cannot listen on port {port}: {error.strerror}; is another process using it?"
        ) from error


class _Request(web.Request):
    """A request whose response does not tell what server this is."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        response.headers.popall("Server", None)


def started() -> None:
    """Say that start-up is over: the garbage collector leaves alone what it made, and runs less often."""
    gc.freeze()
    gc.set_threshold(limits.YOUNG_OBJECTS, *gc.get_threshold()[1:])


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
