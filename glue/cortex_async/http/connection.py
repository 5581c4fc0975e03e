"""One connection to a server of ours: every answer is our JSON document, and no client may stall it for ever.

aiohttp answers by itself, in plain text, what is not HTTP and what a handler did not expect; it waits for the rest
of a head as long as for the next request, and for ever for a client that does not read its answer.
"""

import asyncio
import fcntl
import json
import logging
import socket
import struct
import termios
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import http_exceptions, web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import _ErrInfo

from cortex_async import limits
from cortex_async.http.direct_body import DirectBody
from cortex_async.http.guard import Guard

_BUSY = "there are too many requests at once; nothing was accepted, try again"

log = logging.getLogger(__name__)


PROBLEM_TYPE = "application/problem+json"


def problem(status: int, code: str, message: str) -> dict[str, Any]:
    """Return the document of every error: `{"error": {"code", "message"}}`, and a problem document (RFC 9457)."""
    title = HTTPStatus(status).phrase
    problem_members = {"type": "about:blank", "title": title, "status": status, "detail": message}
    return {"error": {"code": code, "message": message}, **problem_members}


def error_document(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return the response that every error has."""
    return web.json_response(problem(status, code, message), status=status, headers=headers)


def direct_body(request: web.BaseRequest) -> DirectBody | None:
    """Return what has not been read of the body of a request to a server of ours (see `Connection`)."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection.direct_body(request)


class Connection(web.RequestHandler):
    """Ends when the client sends no whole head, or takes no byte of an answer, for `stall_seconds`.

    That counts from the start of the connection, and from the first byte of each head. Between two requests, and
    for a head that begins while the request before is still answered, aiohttp's `keepalive_timeout` holds.
    """

    __slots__ = (
        "_answered",
        "_body",
        "_direct",
        "_guard",
        "_head_begun",
        "_head_timer",
        "_held",
        "_is_counted",
        "_stall_seconds",
        "_unread_timer",
        "_unwanted",
    )

    def __init__(self, manager: web.Server, stall_seconds: float, guard: Guard, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._guard = guard
        self._is_counted = False
        self._held = 0  # of memory, for requests that have begun to come and have not ended
        self._body: StreamReader = EMPTY_PAYLOAD  # of the request that came last
        self._answered: StreamReader = EMPTY_PAYLOAD  # the body of the request that was answered last
        self._direct: DirectBody | None = None
        self._unwanted = 0  # how much is to come of such a body, of which nothing is wanted any more
        self._stall_seconds = stall_seconds
        self._head_begun = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a client, and wait for its first request."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(0)  # so that `pause_writing` tells of each byte that is not taken
        if hasattr(transport, "max_size"):  # asyncio's own; what is read in one go
            transport.max_size = limits.RECEIVE_BYTES
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BUFFER_BYTES
        )
        self._is_counted = self._guard.enter()
        if not self._is_counted:
            self._refuse()
            return
        self._head_timer = self._after_stall(self._give_up)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client, and watch over a head that has begun."""
        if self._unwanted:
            self._skip(len(data))
            return
        if self._waits_for_head():
            if not self._head_begun:
                self._give_back_memory()
            is_taken = self._count(data)
        else:
            is_taken = not self._body.is_eof() or self._count(data)  # a body, or a request after it
        if not is_taken:
            self._refuse()
            return
        super().data_received(data)
        for index, (message, _) in enumerate(self._messages):
            if not isinstance(message, _ErrInfo) and message.version[0] != 1:
                self._messages[index] = (_ErrInfo(505, ValueError(), "version"), EMPTY_PAYLOAD)
        if self._messages and self._messages[-1][1] is not self._body:
            self._body = self._messages[-1][1]
            if not self._body.is_eof() and not self._take(limits.READING_BYTES):
                self._messages[-1] = (_ErrInfo(503, ConnectionError(), "no memory"), EMPTY_PAYLOAD)
        self._watch_head(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that sends no more, if all of its request has come."""
        is_answered = bool(self._messages) or not self._waits_for_head()
        if not is_answered or not self._body.is_eof():
            return False
        self.close()
        return True

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
        if self._is_counted:
            self._is_counted = False
            self._guard.leave()
        self._give_back_memory()
        _cancel(self._head_timer)
        _cancel(self._unread_timer)
        if not self._answered.is_eof():
            self._answered.feed_eof()  # or aiohttp would wait for what nobody sends any more
        super().connection_lost(exc)

    def direct_body(self, request: web.BaseRequest) -> DirectBody | None:
        """Return what has not been read of the body of the current request; None when its length is not known.

        The connection ends with the response, unless all of the body had come.
        """
        if request.content_length is None or self.transport is None or self._upgraded:
            return None
        begun = b"".join(iter(request.content.read_nowait, b""))
        missing = request.content_length - request.content.total_bytes
        body = DirectBody(self, self.transport, begun, missing)
        if missing:
            self._direct = body
        return body

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
        if not request.headers.get("Expect", "").isascii():
            response = error_document(417, "expectation_failed", "the only Expect that can be met is 100-continue")
        elif status == 503:
            response = error_document(503, "busy", _BUSY, {"Retry-After": str(limits.RETRY_AFTER_SECONDS)})
        elif status == 505:
            response = error_document(505, "http_version_not_supported", "only HTTP/1.1 and HTTP/1.0 are spoken")
        elif status >= 500:
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
        if resp.status >= 400 and not resp.prepared and PROBLEM_TYPE in request.headers.get("Accept", ""):
            resp.content_type = PROBLEM_TYPE
        if self._direct is not None:
            self._end_direct(self._direct)
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answered = request.content
            if not self._messages:
                self._give_back_memory()

    def _end_direct(self, body: DirectBody) -> None:
        """Read what is left of a body, so that the client gets its response; aiohttp waits a while for the end."""
        self._direct = None
        self._unwanted = body.missing
        if body.missing:
            self._resume_transport_reading()
        else:
            self._skip(0)

    def _skip(self, size: int) -> None:
        self._unwanted = max(0, self._unwanted - size)
        if not self._unwanted:
            self._body.feed_eof()
            self._pause_transport_reading()  # aiohttp would take what comes after it for more of the body

    def _count(self, data: bytes) -> bool:
        """Take memory for the heads in what has come; False when there is none."""
        end = data.find(b"\r\n\r\n")
        return self._take((len(data) if end < 0 else end) * limits.HEAD_FACTOR)

    def _take(self, size: int) -> bool:
        if not self._guard.take(size):
            return False
        self._held += size
        return True

    def _give_back_memory(self) -> None:
        self._guard.give_back(self._held)
        self._held = 0

    def _refuse(self) -> None:
        """Tell a client to come back, since there are too many; its connection ends."""
        headers = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}
        if self.transport is not None:
            self.transport.write(_written(503, "Service Unavailable", "busy", _BUSY, headers))
        self.force_close()

    def _waits_for_head(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _watch_head(self, data: bytes) -> None:
        if not self._waits_for_head():
            self._head_begun = False
            _cancel(self._head_timer)
        elif data and not self._head_begun:
            self._head_begun = True
            _cancel(self._head_timer)
            self._head_timer = self._after_stall(self._give_up)

    def _give_up(self) -> None:
        if self.transport is None or not self._waits_for_head():
            return
        # A client that has sent nothing waits for no answer: it could take one for the answer to its next request.
        if self._head_begun:
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
    return _written(408, "Request Timeout", "stalled", message, {})


def _written(status: int, reason: str, code: str, message: str, headers: Mapping[str, str]) -> bytes:
    """An error document as a whole response, after which the connection is closed."""
    body = json.dumps(problem(status, code, message)).encode()
    fields = {
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body
