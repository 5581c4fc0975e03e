"""Connections of our clients: one answer for each request, and a broken one is never taken for a whole one.

aiohttp keeps for the next request what a server sends on an idle connection, and takes it for its response. And a
response that ends with its connection is whole to it even if a reset ended that.
"""

import asyncio
import functools
import select
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from cortex_async import limits


class Connector(aiohttp.TCPConnector):
    """A pool of `ClientConnection`s, of any number.

    With `is_trusted` the kernel is not asked before each request whether an idle connection has more to read:
    the other side answers what it is asked and no more.
    """

    def __init__(
        self,
        keepalive_seconds: float,
        dns_seconds: int = 10,
        socket_factory: Callable[[Any], socket.socket] | None = None,
        *,
        is_trusted: bool = False,
    ) -> None:
        super().__init__(
            limit=0,
            keepalive_timeout=keepalive_seconds,
            ttl_dns_cache=dns_seconds,
            socket_factory=socket_factory,
        )
        factory: Any = functools.partial(ClientConnection, asyncio.get_running_loop(), is_trusted=is_trusted)
        self._factory = factory

    def renew(self) -> None:
        """Use none of the connections again that are idle now."""
        for idle in self._conns.values():
            for connection, _ in idle:
                connection.force_close()


class ClientConnection(ResponseHandler):
    """Not used again once anything arrives that no request asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_trusted: bool = False) -> None:
        super().__init__(loop)
        self._is_trusted = is_trusted
        self._poll = select.poll()  # made once: a connection is asked before each of its requests
        self._body: StreamReader | None = None  # of the response to the current request, when its head has come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read little in one go: a process has many connections."""
        if hasattr(transport, "max_size"):  # asyncio's own
            transport.max_size = limits.RECEIVE_BYTES
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        super().connection_made(transport)

    def set_response_params(self, **options: Any) -> None:
        """Expect the response to the next request."""
        self._body = None
        super().set_response_params(**options)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take the head of a response; drop that of a second one, which nobody asked for."""
        if self._body is not None:
            self.force_close()
            return
        message, body = data
        if message.code >= 200 or message.code == 101:  # what comes before is interim
            self._body = body
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a response; drop those after its end."""
        if data and self._is_complete():
            self.force_close()
            return
        super().data_received(data)

    def is_connected(self) -> bool:
        """Whether the next request may go over this connection, as far as can be known."""
        return super().is_connected() and not self._should_close and not self._has_more()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End a response that was to end with its connection: as a broken one after a reset."""
        if exc is not None and self._payload is not None and not self._payload.is_eof():
            error = aiohttp.ClientPayloadError(f"the connection broke: {type(exc).__name__}")
            self._payload.set_exception(error)
        super().connection_lost(exc)

    def _is_complete(self) -> bool:
        return self._body is not None and self._body.is_eof()

    def _has_more(self) -> bool:
        """Whether the server has sent more, or its end, and the event loop has not read or understood it yet."""
        if not self._is_complete() or self.transport is None:
            return False
        if self._parser is not None and self._parser.feed_eof() is not None:  # the begin of another response
            return True
        return not self._is_trusted and bool(self._poll.poll(0))
