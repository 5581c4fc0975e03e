"""What all clients of one server may take together: connections, and memory for reading their requests."""

import asyncio
import logging
import resource
from collections.abc import Mapping
from typing import Any, Protocol

from cortex_async import limits

log = logging.getLogger(__name__)


class ReadingMemory(Protocol):
    """Memory that is there, or is not."""

    def take_small(self, size: int) -> bool:
        """Take bytes; say whether they were there."""
        ...

    def give_back_small(self, size: int) -> None:
        """Return bytes."""
        ...


def connections_within_descriptors() -> int:
    """How many clients there may be: some descriptors are left for calls to AWS."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits.CONNECTIONS_AT_MOST
    return max(1, min(soft - max(limits.OWN_DESCRIPTORS, soft // 4), limits.CONNECTIONS_AT_MOST))


class Guard:
    """Counts the connections of a server, at most `most`, and what they take of `memory`."""

    def __init__(self, most: int | None = None, memory: ReadingMemory | None = None) -> None:
        self._most = connections_within_descriptors() if most is None else most
        self._memory = memory
        self._connections = 0
        self._logged_at = float("-inf")

    def enter(self) -> bool:
        """Count a connection; False when there are too many."""
        if self._connections >= self._most:
            self.tell("too many connections at once", {"connections": self._connections})
            return False
        self._connections += 1
        return True

    def leave(self) -> None:
        """Count a connection no more."""
        self._connections -= 1

    def take(self, size: int) -> bool:
        """Take memory for a head, or for reading a body; False when there is none."""
        if self._memory is None or self._memory.take_small(size):
            return True
        self.tell("no memory for a request", {"connections": self._connections})
        return False

    def give_back(self, size: int) -> None:
        """Return that memory."""
        if self._memory is not None and size:
            self._memory.give_back_small(size)

    def tell(self, message: str, facts: Mapping[str, Any]) -> None:
        """Log a warning, at most one a second."""
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= 1:
            self._logged_at = now
            log.warning(message, extra=dict(facts))

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle what asyncio reports: of a connection that cannot be accepted it tells without end."""
        if isinstance(context.get("exception"), OSError) and "accept" in str(context.get("message")):
            self.tell("a connection cannot be accepted", {"reason": str(context["exception"])})
        else:
            loop.default_exception_handler(context)
