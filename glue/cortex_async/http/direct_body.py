"""A request's body that the kernel writes to where it is wanted; on its way through aiohttp it is copied."""

import asyncio

from cortex_async import limits


class DirectBody(asyncio.BufferedProtocol):
    """The rest of a request's body of known length: `begun` has come already, `missing` bytes have not.

    It takes the place of the connection's own protocol while a read waits; nothing is read in between. The own
    protocol does not learn of what comes, so the connection cannot be used for another request.
    """

    def __init__(self, own: asyncio.Protocol, transport: asyncio.Transport, begun: bytes, missing: int) -> None:
        self._own = own
        self._transport = transport
        self._begun = begun
        self.missing = missing
        self._ahead = limits.READ_AHEAD_BYTES
        self._buffer = memoryview(bytearray())
        self._came: asyncio.Future[int] | None = None  # of the read that waits
        if missing:
            transport.pause_reading()

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._begun) + self.missing

    @property
    def ahead(self) -> int:
        """How many bytes to make room for: as much again as came last, so that a slow client holds little."""
        return len(self._begun) or min(self._ahead, self.missing)

    async def read_into(self, buffer: memoryview) -> int:
        """Wait for some bytes, and return how many there are; raises ConnectionResetError when the client goes."""
        if self._begun:
            size = min(len(self._begun), len(buffer))
            buffer[:size] = self._begun[:size]
            self._begun = self._begun[size:]
            return size
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._buffer = buffer[: self.missing]
        self._came = asyncio.get_running_loop().create_future()
        self._transport.set_protocol(self)
        self._transport.resume_reading()
        try:
            size = await self._came
        finally:
            self._stop()
        self.missing -= size
        self._ahead = min(max(2 * size, limits.READ_AHEAD_BYTES), limits.DIRECT_BYTES)
        return size

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where the next bytes are to be written."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Give the bytes to the read that waits, and read no more until the next."""
        self._transport.pause_reading()
        if self._came is not None and not self._came.done():
            self._came.set_result(nbytes)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._own.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, and end the read that waits."""
        self._own.connection_lost(exc)
        if self._came is not None and not self._came.done():
            self._came.set_exception(ConnectionResetError("the client has gone"))

    def _stop(self) -> None:
        """Give the connection back to its own protocol, and read nothing for now."""
        self._transport.pause_reading()
        self._transport.set_protocol(self._own)
        self._buffer = memoryview(bytearray())
        self._came = None
