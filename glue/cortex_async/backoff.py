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

EVENTS = RetryPolicy(limits.EVENT_SEND_SECONDS)
"""Of the dispatcher for webhooks, behind which no result may wait."""

SINGLE_TRY = RetryPolicy(0)


def delay_seconds(failures: int, longest: float = limits.RETRY_LONGEST_SECONDS) -> float:
    """How long to wait after that many failures in a row: exponential, with full jitter."""
    return random.uniform(0, min(longest, limits.RETRY_FIRST_SECONDS * 2 ** min(failures, 30)))


class Health:
    """What all calls to one service have in common: after an outage, the first success wakes those that wait.

    An outage is a run of failures of whatever calls. While some calls succeed, as when throttled, nobody is woken.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._sleepers: set[asyncio.Future[None]] = set()

    def failed(self) -> None:
        """Note a failed call."""
        self._failures += 1

    def succeeded(self) -> None:
        """Note a successful call."""
        if self._failures >= limits.OUTAGE_FAILURES:
            loop = asyncio.get_running_loop()
            for sleeper in self._sleepers:
                loop.call_later(random.uniform(0, limits.RECOVERED_SECONDS), _wake, sleeper)
        self._failures = 0

    async def sleep(self, seconds: float) -> None:
        """Sleep that long, or until an outage is over."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers.add(sleeper)
        timer = loop.call_later(seconds, _wake, sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            self._sleepers.discard(sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


class Backoff:
    """The pauses of one retry loop, until `seconds` have passed since it was made (None: no limit)."""

    def __init__(
        self,
        seconds: float | None = None,
        longest: float = limits.RETRY_LONGEST_SECONDS,
        health: Health | None = None,
    ) -> None:
        self._longest = longest
        self._health = health
        self.give_up_at = None if seconds is None else asyncio.get_running_loop().time() + seconds
        self.failures = 0

    async def pause(self, problem: Exception) -> None:
        """Sleep until the next try; raises `problem` when the time is over before that."""
        wait = delay_seconds(self.failures, self._longest)
        self.failures += 1
        if self.give_up_at is not None and asyncio.get_running_loop().time() + wait >= self.give_up_at:
            raise problem
        await (self._health.sleep(wait) if self._health else asyncio.sleep(wait))
