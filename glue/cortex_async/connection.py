"""One connection to a server of ours: every answer is our JSON document, and a request's head must come in time.

aiohttp answers by itself, in plain text, what is not HTTP and what a handler did not expect; and it waits for the
rest of a request's head as long as for the next request.
"""

import asyncio
import json
import logging
from typing import Any

from aiohttp import http_exceptions, web

log = logging.getLogger(__name__)


def error_document(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return the response that every error has: `{"error": {"code", "message"}}`."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


class Connection(web.RequestHandler):
    """`head_seconds` is how long the rest of a request's head may take, once a part of it has come."""

    __slots__ = ("_head_late", "_head_seconds")

    def __init__(self, manager: web.Server, head_seconds: float, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._head_seconds = head_seconds
        self._head_late: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client, and watch over a head that has begun."""
        super().data_received(data)
        if self._waits_for_head() and data:
            if self._head_late is None:
                self._head_late = asyncio.get_running_loop().call_later(self._head_seconds, self._give_up)
        elif self._head_late is not None:
            self._head_late.cancel()
            self._head_late = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the client."""
        if self._head_late is not None:
            self._head_late.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, and what no handler expected; the connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status >= 500:
            log.error("a request met a defect", exc_info=exc, extra={"path": request.path})
            response = error_document(500, "internal_error", "the server met an error of its own")
        elif isinstance(exc, http_exceptions.LineTooLong):
            response = error_document(431, "headers_too_large", "the request line or a header is too long")
        else:
            reason = (message or "").strip().partition("\n")[0].rstrip(":")
            response = error_document(status, "bad_request", f"this is no valid HTTP request: {reason}")
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the response; what aiohttp raises becomes a document: no such path, another method, an Expect."""
        if isinstance(resp, web.HTTPException):
            code = resp.reason.lower().replace(" ", "_")
            allow = {"Allow": resp.headers["Allow"]} if "Allow" in resp.headers else None
            reason = (resp.text or "").removeprefix(f"{resp.status}: ")
            resp = error_document(resp.status, code, f"{request.method} {request.path}: {reason}", allow)
        return await super().finish_response(request, resp, start_time)

    def _waits_for_head(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _give_up(self) -> None:
        self._head_late = None
        if self.transport is None or not self._waits_for_head():
            return
        message = f"the request's head did not come within {self._head_seconds:g} s"
        body = json.dumps({"error": {"code": "stalled", "message": message}}).encode()
        head = (
            "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.force_close()
