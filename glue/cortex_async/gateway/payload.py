"""The body of a submission, as it comes: for a message, or for an object of its own."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from cortex_async import limits
from cortex_async.gateway.errors import Rejected
from cortex_async.gateway.idempotency import Fingerprint
from cortex_async.http.connection import direct_body
from cortex_async.http.direct_body import DirectBody
from cortex_async.storage.request_memory import RequestMemory
from cortex_async.storage.source import Pieces, Source


class IncomingPayload:
    """The body of `request`, of at most `most` bytes, which all pass through the fingerprint.

    Reading it raises Rejected when it is larger, or no byte comes for `stall_seconds`.
    """

    def __init__(
        self, request: web.Request, most: int, stall_seconds: float, fingerprint: Fingerprint | None
    ) -> None:
        self._request = request
        self._most = most
        self._stall_seconds = stall_seconds
        self._fingerprint = fingerprint
        self._began = asyncio.get_running_loop().time()
        self._size = 0
        self._pieces = self._received()

    async def begin(self, inline_limit: int, memory: RequestMemory) -> tuple[bytes, bool]:
        """Gather what a message takes, and say whether that is all; nothing when more is announced."""
        announced = self._request.content_length
        if announced is not None and announced > inline_limit:
            return b"", False
        most = (inline_limit + limits.PIECE_BYTES if announced is None else announced) * limits.BODY_FACTOR
        gathered = bytearray()
        async for piece in self._pieces:
            await memory.grow((len(gathered) + len(piece)) * limits.BODY_FACTOR, most)
            gathered += piece
            if len(gathered) > inline_limit:
                return bytes(gathered), False
        return bytes(gathered), True

    def source(self, begun: bytes, memory: RequestMemory) -> Source:
        """Return what has begun and the rest of it, for an upload, which takes its own memory; raises NoMemory."""
        memory.keep_small(len(begun))
        is_large = not begun and (self._request.content_length or 0) > limits.S3_PART_BYTES
        body = direct_body(self._request) if is_large else None  # which is not worth a connection for a small one
        return Pieces(_prepended(begun, self._pieces, memory)) if body is None else _Direct(self, body)

    def deadline(self) -> float:
        """When the next byte has to have come, by the loop's clock: for it, and for all so far."""
        slowest = self._began + self._size / limits.SLOWEST_BYTES_A_SECOND
        return min(slowest, asyncio.get_running_loop().time()) + self._stall_seconds

    def came(self, piece: bytes | memoryview) -> None:
        """Count a piece; raises Rejected."""
        self._size += len(piece)
        if self._size > self._most:
            raise too_large(self._most)
        if self._fingerprint is not None:
            self._fingerprint.add(piece)

    def stalled(self) -> Rejected:
        """The error of a body that comes too slowly."""
        message = (
            f"no byte of the body came for {self._stall_seconds:g} s, or all of it came slower than "
            f"{limits.SLOWEST_BYTES_A_SECOND} bytes a second"
        )
        return Rejected(408, "stalled", message)

    async def _received(self) -> AsyncIterator[bytes]:
        content = self._request.content
        while True:
            try:
                if content.is_eof():  # it has all come
                    piece = await content.read(limits.PIECE_BYTES)
                else:
                    async with asyncio.timeout_at(self.deadline()):
                        piece = await content.read(limits.PIECE_BYTES)
            except TimeoutError as error:
                raise self.stalled() from error
            if not piece:
                return
            self.came(piece)
            yield piece
            if content.at_eof():
                return


class _Direct:
    """A body of known length, without a copy of it on its way (see `Source`)."""

    def __init__(self, payload: IncomingPayload, body: DirectBody) -> None:
        self.size = 0
        self._payload = payload
        self._body = body

    async def is_at_end(self) -> bool:
        """See `Source`."""
        return self._body.left == 0

    def ahead(self) -> int:
        """See `Source`."""
        return self._body.ahead

    async def read_into(self, buffer: memoryview) -> int:
        """See `Source`."""
        try:
            async with asyncio.timeout_at(self._payload.deadline()):
                size = await self._body.read_into(buffer)
        except TimeoutError as error:
            raise self._payload.stalled() from error
        self._payload.came(buffer[:size])
        self.size += size
        return size


def too_large(most: int) -> Rejected:
    """The error of a body that is larger than `most` bytes."""
    message = f"the payload is over the limit of {most // limits.MIB} MiB (gateway.maxPayloadMiB)"
    return Rejected(413, "payload_too_large", message)


async def _prepended(begun: bytes, pieces: AsyncIterator[bytes], memory: RequestMemory) -> AsyncIterator[bytes]:
    if begun:
        yield begun
    del begun
    memory.give_back()
    async for piece in pieces:
        yield piece
