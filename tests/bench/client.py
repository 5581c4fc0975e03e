"""The load client: keep-alive connections that each do one call after the other, at little cost of their own."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from support.stack import Stack

_PATIENCE_SECONDS = 180.0


class Connection(asyncio.Protocol):
    """One connection to a port; `call` sends a request and returns status and body of its response."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_open = False  # for another request
        self._has_ended = asyncio.Event()
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._has_ended.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end]).lower()
        _, _, rest = head.partition(b"content-length:")
        end = head_end + 4 + int(rest.partition(b"\r\n")[0])
        if len(self._received) < end or self._answer is None:
            return
        answer, self._answer = self._answer, None
        self._is_open = b"\r\nconnection: close" not in head
        body = bytes(self._received[head_end + 4 : end])
        self._received.clear()
        if not answer.done():
            answer.set_result((int(head[9:12]), body))

    async def call(self, request: bytes) -> tuple[int, bytes]:
        if not self._is_open:  # as after a large payload
            self.close()
            await self._has_ended.wait()
            await self.open()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    async def open(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        self._is_open = True
        self._has_ended.clear()

    def close(self) -> None:
        self._transport.close()


class LoadClient:
    """Calls one API's gateway, or another port, over a number of connections."""

    def __init__(self, stack: Stack, connections: int, port: int | None = None) -> None:
        self._stack = stack
        self._port = port or stack.gateway_port
        self._count = connections
        self._connections: list[Connection] = []

    async def __aenter__(self) -> Self:
        for _ in range(self._count):
            self._connections.append(Connection(self._port))
            await self._connections[-1].open()
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def post(self, payload: bytes, query: str = "") -> bytes:
        """Return the bytes of a submit."""
        head = (
            f"POST /{self._stack.name}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
            f"User-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        return head.encode() + payload

    def get(self, request_id: str) -> bytes:
        """Return the bytes of a poll."""
        return f"GET /{self._stack.name}/{request_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()

    async def submit(self, payload: bytes, count: int, query: str = "") -> list[str]:
        """Submit that many requests; return their ids."""
        request = self.post(payload, query)
        return [document["id"] for document in await self.all([request] * count)]

    async def poll(self, request_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Ask once for each; return the documents."""
        return await self.all(list(map(self.get, request_ids)))

    async def one(self, request: bytes) -> dict[str, Any]:
        """Do a single call."""
        return _document(*await self._connections[0].call(request))

    async def all(self, requests: list[bytes]) -> list[dict[str, Any]]:
        """Do every call, each connection one after the other; return the answers in the order of the calls."""
        answers: list[dict[str, Any]] = [{}] * len(requests)
        numbered = iter(enumerate(requests))

        async def work(connection: Connection) -> None:
            for index, request in numbered:
                answers[index] = _document(*await connection.call(request))

        await asyncio.gather(*map(work, self._connections))
        return answers


def _document(status: int, body: bytes) -> dict[str, Any]:
    assert status == 200, (status, body[:500])
    document: dict[str, Any] = json.loads(body)
    return document


async def until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for what another process brings about; raises TimeoutError, naming it."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {_PATIENCE_SECONDS:g} s for {what}")
        await asyncio.sleep(0.02)
