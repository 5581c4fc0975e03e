"""An HTTP/1.1 server that costs little beside what is measured: one protocol object a connection, no framework.

It knows what the bench's peers send and no more: bodies with a Content-Length, one request at a time.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_PIECE_BYTES = 262_144
_REASONS = {200: "OK", 100: "Continue"}


@dataclass(slots=True)
class Request:
    """One request, read to its end; header names are lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Response:
    """One response; a body may come in several pieces, which are not copied together."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Sequence[bytes] = ()


class Connection(asyncio.Protocol, ABC):
    """One client's connection; `handle` is called a request, and answers by `respond`, now or later."""

    def __init__(self) -> None:
        self._head: Request | None = None
        self._missing = 0
        self._received: list[bytes] = []
        self._to_send: Iterator[memoryview] | None = None
        self._paused = False
        self.is_open = False

    @abstractmethod
    def handle(self, request: Request) -> None:
        """Take one request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False

    def data_received(self, data: bytes) -> None:
        if self._head is None:
            end = self._head_end(data)
            if end < 0:
                return
            joined = b"".join(self._received)
            head, data = joined[:end], joined[end + 4 :]
            self._head = parse_head(head.decode("latin-1"))
            self._missing = int(self._head.headers.get("content-length", 0))
            self._received = []
            if "expect" in self._head.headers and not data:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._body_received(data)

    def _head_end(self, data: bytes) -> int:
        self._received.append(data)
        if len(self._received) == 1:
            return data.find(b"\r\n\r\n")
        joined = b"".join(self._received)
        self._received = [joined]
        return joined.find(b"\r\n\r\n")

    def _body_received(self, data: bytes) -> None:
        assert self._head is not None
        self._missing -= len(data)
        if data and self.keep_body:
            self._received.append(data)
        if self._missing > 0:
            return
        assert self._missing == 0, "a client that pipelines"
        request, self._head = self._head, None
        request.body = self._received[0] if len(self._received) == 1 else b"".join(self._received)
        self._received = []
        self.handle(request)

    keep_body = True  # False: bodies are read and thrown away

    def respond(self, response: Response, *, head_only: bool = False) -> None:
        """Send the response, a large one only as fast as the client reads."""
        if not self.is_open:
            return
        headers = response.headers
        if "content-length" not in headers:
            headers["content-length"] = str(sum(map(len, response.body)))
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Other')}\r\n{lines}\r\n".encode(
            "latin-1"
        )
        if head_only or not response.body:
            self._transport.write(head)
        elif sum(map(len, response.body)) <= _PIECE_BYTES:
            self._transport.write(b"".join([head, *response.body]))
        else:
            self._transport.write(head)
            self._to_send = _slices(response.body)
            self._send_more()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send_more()

    def _send_more(self) -> None:
        while self._to_send is not None and not self._paused and self.is_open:
            piece = next(self._to_send, None)
            if piece is None:
                self._to_send = None
            else:
                self._transport.write(piece)


def _slices(pieces: Sequence[bytes]) -> Iterator[memoryview]:
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _PIECE_BYTES):
            yield view[start : start + _PIECE_BYTES]


def parse_head(head: str) -> Request:
    """Read the request line and the headers; a request that repeats a header keeps the last."""
    line, _, rest = head.partition("\r\n")
    method, target, _ = line.split(" ")
    path, _, query = target.partition("?")
    headers = {}
    for header in rest.split("\r\n") if rest else ():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    assert "transfer-encoding" not in headers, "a body without a length"
    return Request(method, path, query, headers, b"")
