"""What every long-running process of ours does alike: listen, and hear that it is to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from cortex_async.errors import CortexError


class CannotListen(CortexError):
    """The port is not to be had."""


@asynccontextmanager
async def listening(app: web.Application, port: int) -> AsyncIterator[web.AppRunner]:
    """Serve `app` on all interfaces; at the end open requests are finished first. Raises CannotListen."""
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, handle_signals=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "0.0.0.0", port, backlog=1024).start()  # noqa: S104 - a pod has one address
        except OSError as error:
            raise CannotListen(
                f"cannot listen on port {port}: {error.strerror}; is another process using it?"
            ) from error
        yield runner
    finally:
        await runner.cleanup()


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
