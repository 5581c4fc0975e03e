"""How long to go on trying, and the pauses between tries."""

import asyncio
import random
from dataclasses import dataclass

from cortex_async import limits


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a store or a queue is opened: for how long it tries a call, and whether also after a refusal.

    `seconds` is None to try for ever, and 0 for a single try. With `refusals`, a call that AWS refuses is tried
    again too: a permission can be mended meanwhile.
    """

    seconds: float | None
    refusals: bool = False


PERSISTENT = RetryPolicy(None, refusals=True)
"""The dispatcher's: what a container has done must not be lost."""

PATIENT = RetryPolicy(limits.GATEWAY_AWS_SECONDS)
"""The gateway's: a client waits for the answer."""

SINGLE_TRY = RetryPolicy(0)


def delay_seconds(failures: int, longest: float = limits.RETRY_LONGEST_SECONDS) -> float:
    """How long to wait after that many failures in a row: exponential, with full jitter."""
    return random.uniform(0, min(longest, limits.RETRY_FIRST_SECONDS * 2 ** min(failures, 30)))


class Backoff:
    """The pauses of one retry loop, until `seconds` have passed since it was made (None: no limit)."""

    def __init__(self, seconds: float | None = None, longest: float = limits.RETRY_LONGEST_SECONDS) -> None:
        self._longest = longest
        self.give_up_at = None if seconds is None else asyncio.get_running_loop().time() + seconds
        self.failures = 0

    async def pause(self, problem: Exception) -> None:
        """Sleep until the next try; raises `problem` when the time is over before that."""
        wait = delay_seconds(self.failures, self._longest)
        self.failures += 1
        if self.give_up_at is not None and asyncio.get_running_loop().time() + wait >= self.give_up_at:
            raise problem
        await asyncio.sleep(wait)
