"""A request body that aiohttp sends without copying it."""

import asyncio

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from cortex_async import limits

Body = bytes | memoryview


class BodyInPieces(aiohttp.Payload):
    """A large body, written piece by piece so that it does not hold up the event loop."""

    _autoclose = True

    def __init__(self, body: Body) -> None:
        super().__init__(memoryview(body))
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text, which aiohttp asks of every payload."""
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body in pieces, and let other tasks run between them."""
        for start in range(0, len(self._value), limits.WRITTEN_AT_ONCE_BYTES):
            await writer.write(self._value[start : start + limits.WRITTEN_AT_ONCE_BYTES])
            await asyncio.sleep(0)
