"""The web server of the pod: one POST for each request."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from cortex_async import limits
from cortex_async.http.client_connection import Connector
from cortex_async.http.headers import REQUEST_ID
from cortex_async.http.overrides import InvalidResponse, ReadingSocket, ended_with_its_connection
from cortex_async.queue.message import Message

log = logging.getLogger(__name__)


class Container:
    """Posts to `http://127.0.0.1:<port>/`, and to `cancel_path` there when a request was cancelled."""

    def __init__(self, port: int, cancel_path: str | None = None) -> None:
        self._cancel_path = cancel_path
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

    async def cancel(self, request_id: str) -> None:
        """Tell the container that a request was cancelled, if it wants to be told."""
        if self._cancel_path is None:
            return
        url = self._base.with_path(self._cancel_path, encoded=True)
        timeout = aiohttp.ClientTimeout(total=limits.CANCEL_HOOK_SECONDS)
        try:
            async with self._http.post(
                url,
                data=json.dumps({"id": request_id}).encode(),
                headers={"Content-Type": "application/json", REQUEST_ID: request_id},
                timeout=timeout,
            ) as response:
                if response.status >= 400:
                    facts = {"id": request_id, "status": response.status}
                    log.warning("the container did not take a cancellation", extra=facts)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            facts = {"id": request_id, "reason": type(error).__name__}
            log.warning("the container could not be told of a cancellation", extra=facts)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
