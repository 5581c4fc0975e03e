"""What one request holds of the gateway's memory, and how much there is of it."""

import asyncio
from pathlib import Path
from typing import Self

from cortex_async import limits
from cortex_async.storage.memory_budget import MemoryBudget, NoMemory

_CGROUP = Path("/sys/fs/cgroup")
_FILES = ("memory.max", "memory/memory.limit_in_bytes")  # of the second version, and of the first


def container_limit(cgroup: Path = _CGROUP) -> int | None:
    """The memory limit of this container, in bytes; None without one."""
    for name in _FILES:
        try:
            text = (cgroup / name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < limits.NO_MEMORY_LIMIT_BYTES:
            return int(text)
    return None


def budget_within(limit: int | None) -> MemoryBudget:
    """The budget for all that requests hold in a container with that memory limit."""
    limit = limit or limits.GATEWAY_MEMORY_BYTES
    size = max(limits.SMALLEST_BUDGET_BYTES, (limit - limits.GATEWAY_OWN_BYTES) * 5 // 8)
    return MemoryBudget(size, reserve=size // 4)


class RequestMemory:
    """What a request holds while it comes in, for `with`: taken as it grows, or all that it may need at once."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._taken = 0
        self._small = 0

    async def grow(self, size: int, most: int) -> None:
        """Have at least `size` bytes, of which there will be at most `most`; raises NoMemory."""
        if size <= self._taken:
            return
        if self._budget.take_now(size - self._taken):
            self._taken = size
            return
        await self._budget.take(most - self._taken, may_exceed=False)
        self._taken = most

    def keep_small(self, size: int) -> None:
        """Give all back but `size` bytes, so that an upload can take what it needs; raises NoMemory.

        More must not be held by uploads that have not begun than leaves room for the parts of one.
        """
        if not self._budget.make_small(self._taken, size):
            raise NoMemory("too many payloads are coming at once")
        self._taken, self._small = 0, size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Give all back."""
        self._budget.give_back(self._taken)
        self._budget.give_back_small(self._small)
        self._taken = self._small = 0


class AnswerMemory:
    """What a result on its way out holds, for `with`."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._taken = 0

    def grow(self, size: int) -> bool:
        """Have at least `size` bytes now; say whether they were there."""
        if size > self._taken:
            if not self._budget.take_small(size - self._taken):
                return False
            self._taken = size
        return True

    async def wait_for(self, size: int) -> None:
        """Have at least `size` bytes; raises NoMemory after `ANSWER_WAIT_SECONDS`."""
        if self.grow(size):
            return
        until = asyncio.get_running_loop().time() + limits.ANSWER_WAIT_SECONDS
        while not self.grow(size):
            if asyncio.get_running_loop().time() > until:
                raise NoMemory("too many results are being read at once")
            await asyncio.sleep(limits.ANSWER_RETRY_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back_small(self._taken)
        self._taken = 0
