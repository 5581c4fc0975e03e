"""The web server of the pod: one POST for each request."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError
from yarl import URL

from cortex_async.http.headers import REQUEST_ID
from cortex_async.queue.message import Message

# A server that closes idle connections (some after 2 s) must not do so just as the next request is sent: it
# could not be told from a request that was taken and lost.
_KEEPALIVE_SECONDS = 1.0
_LONGEST_HEADER = 1_048_576  # bytes; aiohttp's 8190 would take a good response for one that cannot be read
_MOST_HEADERS = 10_000  # where aiohttp's 128 would do the same


class InvalidResponse(aiohttp.ClientError):
    """What the web server sent is no HTTP, or in a content coding that cannot be undone.

    The text is the reason, and quotes nothing of the response; `status` is None when its head could not be read.
    """

    def __init__(self, parsers_reason: str, status: int | None) -> None:
        unquoted = re.split(r":?\s+b?['\"]|\. Please", parsers_reason)[0]
        super().__init__(" ".join(unquoted.split()))
        self.status = status


class Target:
    """Posts to `http://127.0.0.1:<port>/`."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/"
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEPALIVE_SECONDS, socket_factory=lambda info: _Socket(*info[:3])
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    @asynccontextmanager
    async def post(
        self, message: Message, payload: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request and give its response, the body unread.

        Raises aiohttp.ClientConnectorError or ConnectionTimeoutError when no connection was made, so that nothing
        was sent, InvalidResponse, be it from the body, and other aiohttp.ClientError when the connection broke.
        """
        url = URL(f"{self._base}?{message.query}" if message.query else self._base, encoded=True)
        headers = [*message.headers, (REQUEST_ID, message.id), ("Content-Length", str(message.size))]
        status = None
        try:
            async with self.http.post(url, data=payload, headers=headers, allow_redirects=False) as response:
                status = response.status
                with _ending_with_its_connection(response):
                    yield response
        except aiohttp.ClientResponseError as error:
            raise InvalidResponse(error.message, status) from error
        except aiohttp.ClientPayloadError as error:
            if not isinstance(error.__cause__, ContentEncodingError):
                raise
            raise InvalidResponse(error.__cause__.message, status) from error

    async def close(self) -> None:
        """Close all connections."""
        await self.http.close()


@contextmanager
def _ending_with_its_connection(response: aiohttp.ClientResponse) -> Iterator[None]:
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


class _Socket(socket.socket):
    """A socket whose failed sends go nowhere, so that asyncio reads on to the end.

    A server that answers and closes before it has read the whole payload resets the connection. Linux keeps what
    came before the reset, but asyncio closes a socket that it cannot write to without reading.
    """

    def send(self, data: Any, *args: Any) -> int:
        try:
            return super().send(data, *args)
        except ConnectionError:
            return len(data)

    def sendmsg(self, buffers: Any, *args: Any) -> int:  # what asyncio uses from Python 3.12 on
        pieces = list(buffers)
        try:
            return super().sendmsg(pieces, *args)
        except ConnectionError:
            return sum(map(len, pieces))
