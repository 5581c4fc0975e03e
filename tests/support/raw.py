"""HTTP over a bare socket, for what no client library would send."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Self

WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """One response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """The code of the error document."""
        assert self.headers["content-type"].startswith("application/json"), (self.status, self.body)
        document: dict[str, Any] = json.loads(self.body)
        assert document.keys() == {"error", "type", "title", "status", "detail"}, document
        assert document["status"] == self.status
        assert document["error"].keys() == {"code", "message"}, document
        return str(document["error"]["code"])


class Connection:
    """One connection to a server on this machine, for `async with`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, *pieces: bytes) -> None:
        """Send, as far as the server takes it: it may answer, and close, before all is sent."""
        try:
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
        except ConnectionError:
            pass

    async def answer(self) -> Answer:
        """Read one response; a 100 is one, too."""
        async with asyncio.timeout(WAIT_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(first.split()[1]), headers, body)

    async def is_closed(self) -> bool:
        """Read until the server ends the connection; False when it says more instead."""
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                return not await self.reader.read(1)
            except ConnectionError:
                return True


async def exchange(port: int, *pieces: bytes) -> Answer:
    """Send, and read the one response."""
    async with Connection(port) as connection:
        await connection.send(*pieces)
        return await connection.answer()
