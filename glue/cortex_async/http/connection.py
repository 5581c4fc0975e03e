"""One connection to a server of ours: every answer is our JSON document, and no client may stall it for ever.

aiohttp answers by itself, in plain text, what is not HTTP and what a handler did not expect; it waits for the rest
of a head as long as for the next request, and for ever for a client that does not read its answer.
"""

import asyncio
import fcntl
import json
import logging
import struct
import termios
from collections.abc import Callable
from typing import Any

from aiohttp import http_exceptions, web

log = logging.getLogger(__name__)


def error_document(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return the response that every error has: `{"error": {"code", "message"}}`."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


class Connection(web.RequestHandler):
    """Ends when the client sends no whole head, or takes no byte of an answer, for `stall_seconds`.

    That counts from the start of the connection, and from the first byte of each head. Between two requests, and
    for a head that begins while the request before is still answered, aiohttp's `keepalive_timeout` holds.
    """

    __slots__ = ("_head_begun", "_head_timer", "_stall_seconds", "_unread_timer")

    def __init__(self, manager: web.Server, stall_seconds: float, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._stall_seconds = stall_seconds
        self._head_begun = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a client, and wait for its first request."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(0)  # so that `pause_writing` tells of each byte that is not taken
        self._head_timer = self._after_stall(self._give_up)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client, and watch over a head that has begun."""
        super().data_received(data)
        if not self._waits_for_head():
            self._head_begun = False
            _cancel(self._head_timer)
        elif data and not self._head_begun:
            self._head_begun = True
            _cancel(self._head_timer)
            self._head_timer = self._after_stall(self._give_up)

    def pause_writing(self) -> None:
        """Watch over a client that does not take its answer as fast as it is written."""
        super().pause_writing()
        if self.transport is not None:
            self._watch_unread(self.transport)

    def resume_writing(self) -> None:
        """Go on: the client has taken what waited for it."""
        _cancel(self._unread_timer)
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the client."""
        _cancel(self._head_timer)
        _cancel(self._unread_timer)
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
        if self.transport is None or not self._waits_for_head():
            return
        if (
            self._head_begun
        ):  # who has sent nothing expects no answer, and might take one for that of its next request
            self.transport.write(_head_late(self._stall_seconds))
        self.force_close()

    def _after_stall(self, do: Callable[..., None], *args: Any) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._stall_seconds, do, *args)

    def _watch_unread(self, transport: asyncio.Transport, before: int | None = None) -> None:
        """End the connection when just as many bytes wait for the client as `before`: none of them went."""
        left = _unread_bytes(transport)
        if left == before:
            log.info("a client took no byte of its answer", extra={"seconds": self._stall_seconds})
            transport.abort()
        else:
            self._unread_timer = self._after_stall(self._watch_unread, transport, left)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _unread_bytes(transport: asyncio.Transport) -> int:
    """How many bytes wait for the client, in our buffer and in the kernel's (SIOCOUTQ of tcp(7))."""
    unsent = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return transport.get_write_buffer_size() + int(struct.unpack("i", unsent)[0])


def _head_late(seconds: float) -> bytes:
    message = f"the request's head did not come within {seconds:g} s"
    body = json.dumps({"error": {"code": "stalled", "message": message}}).encode()
    head = (
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
