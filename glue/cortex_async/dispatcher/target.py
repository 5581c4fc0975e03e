"""The web server of the pod: one POST for each request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from cortex_async.headers import REQUEST_ID
from cortex_async.message import Message

# A server that closes idle connections (some after 2 s) must not do so just as the next request is sent: it
# could not be told from a request that was taken and lost.
_KEEPALIVE_SECONDS = 1.0
_LONGEST_HEADER = 1_048_576  # bytes; aiohttp's 8190 would take a good response for a broken one


class Target:
    """Posts to `http://127.0.0.1:<port>/`."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/"
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    @asynccontextmanager
    async def post(
        self, message: Message, payload: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request and give its response, the body unread.

        Raises aiohttp.ClientConnectorError or ConnectionTimeoutError when no connection was made, so that nothing
        was sent, and other aiohttp.ClientError when it broke.
        """
        url = URL(f"{self._base}?{message.query}" if message.query else self._base, encoded=True)
        headers = [*message.headers, (REQUEST_ID, message.id), ("Content-Length", str(message.size))]
        async with self.http.post(url, data=payload, headers=headers, allow_redirects=False) as response:
            yield response

    async def close(self) -> None:
        """Close all connections."""
        await self.http.close()
