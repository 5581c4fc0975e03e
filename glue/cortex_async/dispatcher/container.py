"""The web server of the pod: one POST for each request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from cortex_async import limits
from cortex_async.http.client_connection import Connector
from cortex_async.http.headers import REQUEST_ID
from cortex_async.http.overrides import InvalidResponse, ReadingSocket, ended_with_its_connection
from cortex_async.queue.message import Message


class Container:
    """Posts to `http://127.0.0.1:<port>/`."""

    def __init__(self, port: int) -> None:
        self._base = URL(f"http://127.0.0.1:{port}/")
        self._http = aiohttp.ClientSession(
            connector=Connector(
                limits.CONTAINER_KEEPALIVE_SECONDS, socket_factory=lambda info: ReadingSocket(*info[:3])
            ),
            auto_decompress=False,  # aiohttp's takes a gzip body without its end for a whole one
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=limits.CONTAINER_HEADER_BYTES,
            max_field_size=limits.CONTAINER_HEADER_BYTES,
            max_headers=limits.CONTAINER_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.CONTAINER_CONNECT_SECONDS),
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
        url = URL(f"{self._base}?{message.query}", encoded=True) if message.query else self._base
        headers = [*message.headers, (REQUEST_ID, message.id), ("Content-Length", str(message.size))]
        status = None
        try:
            async with self._http.post(url, data=payload, headers=headers, allow_redirects=False) as response:
                status = response.status
                with ended_with_its_connection(response):
                    yield response
        except aiohttp.ClientResponseError as error:
            raise InvalidResponse(error.message, status) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
