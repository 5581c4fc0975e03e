"""The memory that all requests and uploads of a process share, and the parts that take it.

A part is held whole until S3 has it, since it may have to be sent again; S3 takes none under 5 MiB but the last.
"""

import asyncio
import copy
import gc
import mmap
import weakref
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Self

from cortex_async import limits
from cortex_async.errors import CortexError
from cortex_async.storage.source import Source

_MADV_POPULATE_WRITE = 23  # of linux/mman.h; Python has no name for it


class NoMemory(CortexError):
    """More is being uploaded at once than there is memory for."""


class MemoryBudget:
    """A number of bytes that uploads take and give back, in the order in which they ask.

    While half of it is free, a part takes bytes as they come, so that slow uploads, which are many, hold little.
    Then a part takes all that it may still need at once: so those that have begun can always be completed.

    `reserve` bytes are kept for what is small and must not wait for uploads, as heads and results on their way out
    are; that may take more, but no more than half of all.
    """

    def __init__(self, size: int = limits.UPLOAD_MEMORY_BYTES, reserve: int = 0) -> None:
        self.size = size
        self._free = size
        self._half = size // 2
        self._reserve = reserve
        self._small = 0
        self._sent = 0
        self._mapped: list[weakref.ref[mmap.mmap]] = []
        self._spares: list[mmap.mmap] = []
        self._moved_at = 0.0  # when somebody in line was served, by the loop's clock
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for bytes to be given back."""
        return bool(self._waiting)

    def take_now(self, size: int) -> bool:
        """Take bytes if more than half of all is free then; say whether they were taken."""
        if self._waiting or self._available - size < self._half:
            return False
        self._spend(size)
        return True

    async def take(self, size: int, *, may_exceed: bool) -> None:
        """Take bytes, waiting for them where needed; raises NoMemory after `UPLOAD_WAIT_SECONDS`.

        With `may_exceed` they are taken even if there are none, when nobody in line was served for
        `RESULT_WAIT_SECONDS` and parts that only wait for S3 will not give back as many.
        """
        if not self._waiting and size <= self._available:
            self._spend(size)
            return
        loop = asyncio.get_running_loop()
        place = (size, loop.create_future())
        if not self._waiting:
            self._moved_at = loop.time()
        self._waiting.append(place)
        seconds = limits.RESULT_WAIT_SECONDS if may_exceed else limits.UPLOAD_WAIT_SECONDS
        try:
            while not (await asyncio.wait([place[1]], timeout=seconds))[0]:
                if not may_exceed:
                    raise NoMemory("too many large payloads are coming at once")
                seconds = self._moved_at + limits.RESULT_WAIT_SECONDS - loop.time()
                if seconds > 0:
                    continue
                seconds = limits.RESULT_WAIT_SECONDS
                if self._free + self._sent < size:
                    self._moved_at = loop.time()
                    self._spend(size)
                    return
        except asyncio.CancelledError:
            if place[1].done():
                self.give_back(size)
            raise
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
            self._serve()

    def will_give_back(self, size: int) -> None:
        """Count bytes that only wait for S3, and so come back for sure; a negative number has come back."""
        self._sent += size

    def give_back(self, size: int) -> None:
        """Return bytes, for the next in line."""
        self._free += size
        if self._waiting:
            self._serve()

    def unmap(self, buffer: mmap.mmap) -> None:
        """Give the pages of a part back to the system.

        A call that failed may still hold them, by the frames of its error, until garbage is collected: that is
        done when several are held, since nothing counts them any more.
        """
        self._mapped = [each for each in (*self._mapped, weakref.ref(buffer)) if not _is_unmapped(each)]
        if len(self._mapped) > limits.MAPPED_PARTS:
            gc.collect()

    def keep(self, buffer: mmap.mmap) -> None:
        """Keep the pages of a part that was full and is sent, for the next one: to get them anew takes longer.

        They count as free, and are given back to the system before others need them.
        """
        spares = len(self._spares) + 1
        if spares <= limits.SPARE_PARTS and spares * limits.S3_PART_BYTES <= self._free and _is_unread(buffer):
            self._spares.append(buffer)
        else:
            self.unmap(buffer)

    def spare(self) -> mmap.mmap | None:
        """Take the memory of a whole part that was kept, if there is one and nobody waits for as much."""
        if not self._spares or self._waiting or self._available < limits.S3_PART_BYTES:
            return None
        buffer = self._spares.pop()
        self._spend(limits.S3_PART_BYTES)
        return buffer

    def drop_spares(self) -> None:
        """Give the pages that are kept back to the system."""
        while self._spares:
            self.unmap(self._spares.pop())

    def take_small(self, size: int) -> bool:
        """Take bytes for what does not wait; say whether they were taken. They go back by `give_back_small`."""
        if self._small + size > self._half or size > self._free:
            return False
        self._small += size
        self._spend(size)
        return True

    def make_small(self, taken: int, size: int) -> bool:
        """Give back the `taken` bytes but `size` of them, which count as small from then on; say whether they may.

        They need not be free, since whoever calls has them.
        """
        if self._small + size > self._half:
            return False
        self._small += size
        self._spend(size)
        self.give_back(taken)
        return True

    def give_back_small(self, size: int) -> None:
        """Return bytes taken by `take_small`."""
        self._small -= size
        self.give_back(size)

    @property
    def _available(self) -> int:
        """How many bytes uploads may take."""
        return self._free - max(0, self._reserve - self._small)

    def _spend(self, size: int) -> None:
        self._free -= size
        while self._spares and self._free < len(self._spares) * limits.S3_PART_BYTES:
            self.unmap(self._spares.pop())

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._available:
            size, granted = self._waiting.popleft()
            if not granted.done():
                self._moved_at = granted.get_loop().time()
                self._spend(size)
                granted.set_result(None)


def _is_unread(buffer: mmap.mmap) -> bool:
    """Whether nobody can read it any more, as the connection of a call that failed might."""
    try:
        buffer.resize(len(buffer))
    except BufferError:
        return False
    return True


def _is_unmapped(buffer: "weakref.ref[mmap.mmap]") -> bool:
    found = buffer()
    if found is not None:
        try:
            found.close()
        except BufferError:  # somebody can still read it
            return False
    return True


class Part:
    """One part of an upload, for `with`, which ends with its memory given back.

    It needs at most `most` bytes. With `may_exceed` it is never refused, but may take more than there is.
    """

    def __init__(self, budget: MemoryBudget, most: int, *, may_exceed: bool) -> None:
        self._budget = budget
        self._most = most
        self._may_exceed = may_exceed
        self._size = 0
        self._is_filled = False
        self._is_handed_over = False
        self._began = asyncio.get_running_loop().time()
        spare = budget.spare()
        self._taken = self._backed = 0 if spare is None else limits.S3_PART_BYTES
        # Anonymous memory: its pages count when they are written, and are the system's again when it is closed.
        # Private, since the pages of shared memory take half as long again to get.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._buffer = mmap.mmap(-1, limits.S3_PART_BYTES, flags=flags) if spare is None else spare

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, *, is_sent: bool = False) -> None:
        """Give the memory back; that of a part which S3 has may be used again."""
        if self._is_filled:
            self._budget.will_give_back(-self._taken)
        self._budget.give_back(self._taken)
        self._taken = 0
        if self._is_handed_over:
            return
        if is_sent and self._size == limits.S3_PART_BYTES:
            self._budget.keep(self._buffer)
        else:
            self._budget.unmap(self._buffer)

    def handed_over(self) -> "Part":
        """Return a part with the same bytes and memory, which this one no longer gives back."""
        other = copy.copy(self)
        self._taken = 0
        self._is_handed_over = True
        return other

    @property
    def body(self) -> memoryview:
        """What has come of this part."""
        return memoryview(self._buffer)[: self._size]

    async def fill(self, source: Source) -> bool:
        """Take bytes until the part is full, or the source ends: then return True.

        Raises NoMemory for a source that is slow while others wait for memory.
        """
        while not (is_last := await source.is_at_end()) and self._size < limits.S3_PART_BYTES:
            end = min(self._size + source.ahead(), limits.S3_PART_BYTES)
            await self._reserve(end)
            self._back(end)
            self._size += await source.read_into(memoryview(self._buffer)[self._size : end])
        self._is_filled = True
        self._budget.will_give_back(self._taken)
        return is_last

    def _back(self, end: int) -> None:
        """Get the pages up to there, many at once: a page fault for each takes twice as long."""
        while self._backed < end:
            with suppress(OSError):  # Linux before 5.14: they come by page faults
                self._buffer.madvise(_MADV_POPULATE_WRITE, self._backed, limits.BACKED_AT_ONCE_BYTES)
            self._backed += limits.BACKED_AT_ONCE_BYTES

    async def _reserve(self, end: int) -> None:
        loop = asyncio.get_running_loop()
        is_late = loop.time() > self._began + limits.PART_FILL_SECONDS
        if is_late and self._budget.is_waited_for and not self._may_exceed:
            raise NoMemory("the payload comes too slowly while others wait")
        if end <= self._taken:
            return
        if self._budget.take_now(end - self._taken):
            self._taken = end
            return
        await self._budget.take(self._most - self._taken, may_exceed=self._may_exceed)
        self._taken = self._most
        self._began = loop.time()
