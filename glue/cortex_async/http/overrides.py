"""What is overridden of aiohttp's and asyncio's client: no good response may be lost (decisions/overrides.md)."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError


class InvalidResponse(aiohttp.ClientError):
    """What the web server sent is no HTTP, or in a content coding that cannot be undone.

    The text is the reason, and quotes nothing of the response; `status` is None when its head could not be read.
    """

    def __init__(self, parsers_reason: str, status: int | None) -> None:
        unquoted = re.split(r":?\s+b?['\"]|\. Please", parsers_reason)[0]
        super().__init__(" ".join(unquoted.split()))
        self.status = status


@contextmanager
def ended_with_its_connection(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Let the body end, at the latest, when the connection does.

    aiohttp closes the connection at a chunk that it cannot read, and tells nobody who waits for the body.
    """
    protocol = response.connection.protocol if response.connection else None  # None: the response is complete
    closed = None if protocol is None else protocol.closed
    if protocol is None or closed is None:
        yield
        return

    def end(_: asyncio.Future[None]) -> None:
        content, error = response.content, protocol.exception()
        if content.is_eof() or content.exception():
            return
        if isinstance(error, HttpProcessingError):
            content.set_exception(InvalidResponse(error.message, response.status))
        else:
            content.set_exception(aiohttp.ClientPayloadError("the connection was closed"))

    closed.remove_done_callback(_retrieve)  # there is one, when the connection has seen a request before
    closed.add_done_callback(_retrieve)
    closed.add_done_callback(end)
    try:
        yield
    finally:
        closed.remove_done_callback(end)


def _retrieve(closed: asyncio.Future[None]) -> None:
    """Keep asyncio from reporting an exception that nobody asked for."""
    if not closed.cancelled():
        closed.exception()


class ReadingSocket(socket.socket):
    """A socket whose failed sends go nowhere, so that asyncio reads on to the end.

    A server that answers and closes before it has read the whole payload resets the connection. Linux keeps what
    came before the reset, but asyncio closes a socket that it cannot write to without reading.
    """

    def send(self, data: Any, *args: Any) -> int:
        """Send, or drop what a connection that was reset does not take."""
        try:
            return super().send(data, *args)
        except ConnectionError:
            return len(data)

    def sendmsg(self, buffers: Any, *args: Any) -> int:
        """Do the same as `send`: asyncio uses this one from Python 3.12 on."""
        pieces = list(buffers)
        try:
            return super().sendmsg(pieces, *args)
        except ConnectionError:
            return sum(map(len, pieces))
