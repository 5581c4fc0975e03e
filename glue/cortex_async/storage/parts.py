"""The parts of uploads under way, in memory that all uploads of a process share.

A part is held whole until S3 has it, for it may have to be sent again, and S3 takes none under 5 MiB but the last.
"""

import asyncio
import mmap
from collections import deque
from types import TracebackType
from typing import Self

from cortex_async.aws.s3 import PART_BYTES
from cortex_async.errors import CortexError

SHARED_BYTES = 16 * 2**20  # for parts as they grow, of any number of uploads
PLACES = 8  # for parts that find the shared bytes used up
WAIT_SECONDS = 50.0  # in line for either; load balancers end a connection on which nothing moves for 60 s
RESULT_WAIT_SECONDS = 3.0  # of a part that may not be refused, which then takes memory beyond these limits
FILL_SECONDS = 45.0  # for a part to come, while others wait


class NoRoom(CortexError):
    """More is being uploaded at once than there is memory for."""


class Room:
    """Memory for parts: bytes that all share, and a few places, where a part may grow until it is full.

    A part takes bytes as its own come, so that slow ones, which are many, hold little; when there are none left,
    it moves to a place and returns them. So however many parts have begun, those in places can be completed.
    """

    def __init__(self) -> None:
        self._bytes = SHARED_BYTES
        self._places = PLACES
        self._line: deque[tuple[Part, int, asyncio.Future[None]]] = deque()

    async def take(self, part: "Part", size: int) -> None:
        """Wait in line until `part` may grow by `size` bytes.

        Raises NoRoom for a part that may be refused: after `WAIT_SECONDS`, or when it holds up others for longer
        than `FILL_SECONDS`. Any other grows beyond the limits after `RESULT_WAIT_SECONDS`: those before it may be
        of containers that never end.
        """
        loop = asyncio.get_running_loop()
        if part.may_be_refused and self._line and loop.time() > part.began_at + FILL_SECONDS:
            raise NoRoom("the payload comes too slowly while others wait")
        if not part.placed and not self._give(part, size):
            await self._wait(part, size)
            part.began_at = loop.time()

    async def _wait(self, part: "Part", size: int) -> None:
        place = (part, size, asyncio.get_running_loop().create_future())
        self._line.append(place)
        try:
            async with asyncio.timeout(WAIT_SECONDS if part.may_be_refused else RESULT_WAIT_SECONDS):
                await place[2]
        except TimeoutError as error:
            if part.may_be_refused:
                raise NoRoom("too many large payloads are coming at once") from error
            if place in self._line:
                self._put(part)
        finally:
            if place in self._line:
                self._line.remove(place)
            self._serve()

    def give_back(self, part: "Part") -> None:
        """Take the memory of a part for the next in line."""
        self._bytes += part.shared
        self._places += part.placed
        part.shared, part.placed = 0, False
        self._serve()

    def _serve(self) -> None:
        while self._line and self._give(*self._line[0][:2]):
            granted = self._line.popleft()[2]
            if not granted.done():
                granted.set_result(None)

    def _give(self, part: "Part", size: int) -> bool:
        if size <= self._bytes:
            self._bytes -= size
            part.shared += size
        elif self._places > 0:
            self._put(part)
        else:
            return False
        return True

    def _put(self, part: "Part") -> None:
        """Move a part to a place."""
        self._places -= 1
        self._bytes += part.shared
        part.shared, part.placed = 0, True


class Part:
    """One part after the other of one upload, for `with`, which ends with the memory given back.

    `shared`, `placed` and `began_at` are the room's.
    """

    def __init__(self, room: Room, *, may_be_refused: bool) -> None:
        self._room = room
        self.may_be_refused = may_be_refused
        self.shared = 0
        self.placed = False
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    @property
    def body(self) -> memoryview:
        """What has come of this part."""
        return memoryview(self._buffer)[: self._size]

    async def add(self, piece: bytes) -> bytes:
        """Take as much as fits into this part, and return the rest; raises NoRoom."""
        fitting = piece[: PART_BYTES - self._size]
        if fitting:
            await self._room.take(self, len(fitting))
            self._buffer.write(fitting)
            self._size += len(fitting)
        return piece[len(fitting) :]

    def clear(self) -> None:
        """Begin the next part, without the memory of this one."""
        self._begin()
        self._room.give_back(self)

    def _begin(self) -> None:
        # Pages that become memory when they are written, and at once none when nobody looks at them any more.
        self._buffer = mmap.mmap(-1, PART_BYTES)
        self._size = 0
        self.began_at = asyncio.get_running_loop().time()
