"""Where the bytes of an object come from: they are read to where they are wanted."""

from collections.abc import AsyncIterator
from typing import Protocol


class Source(Protocol):
    """The bytes of one object, in order; `size` counts those that have been read."""

    size: int

    async def is_at_end(self) -> bool:
        """Whether nothing comes any more; may wait for more to know."""
        ...

    def ahead(self) -> int:
        """Return how many bytes the next read wants room for; at least one, unless it is at its end."""
        ...

    async def read_into(self, buffer: memoryview) -> int:
        """Write at least one byte to `buffer`, and return how many; raises what stops the source."""
        ...


class Pieces:
    """The pieces of an object, cut to the room that there is (see `Source`)."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self.size = 0
        self._pieces = pieces
        self._rest = memoryview(b"")

    async def is_at_end(self) -> bool:
        """See `Source`."""
        while not self._rest:
            piece = await anext(self._pieces, None)
            if piece is None:
                return True
            self._rest = memoryview(piece)
        return False

    def ahead(self) -> int:
        """See `Source`."""
        return len(self._rest)

    async def read_into(self, buffer: memoryview) -> int:
        """See `Source`."""
        size = min(len(self._rest), len(buffer))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self.size += size
        return size
