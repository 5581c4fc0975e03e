"""How many messages to receive, decided by what was measured: a pure decision.

With a backlog, the next requests are received while the container works, so that one follows the other at once.
Only so many as begin within `AHEAD_SECONDS`: a request that waits here could begin sooner in another pod. So of
long work none is received ahead.
"""

import math
from dataclasses import dataclass

from cortex_async import limits

_WEIGHT = 0.2  # of a new measurement against all before


@dataclass(frozen=True, slots=True)
class Load:
    """What is in flight: with the container, waiting for it, asked for by open receives.

    `mean_age` says for how long those with the container have been there, in seconds.
    """

    in_container: int
    waiting: int
    asked: int
    mean_age: float


@dataclass(frozen=True, slots=True)
class Ask:
    """One receive: for how many messages, and how long it may wait for the first, in seconds."""

    count: int
    wait_seconds: int


class Pace:
    """What was measured of late."""

    def __init__(self, slots: int, long_poll_seconds: int) -> None:
        self._slots = slots
        self._long_poll_seconds = long_poll_seconds
        self._work_seconds: float | None = None
        self._receive_seconds: float | None = None
        self._most_ahead = 0  # as many as the first receive brought, then four times more with each

    def worked(self, seconds: float) -> None:
        """Note how long the container took for a request."""
        self._work_seconds = _mean(self._work_seconds, seconds)

    def received(self, asked: int, got: int, seconds: float) -> None:
        """Note what a receive brought, and how long it took."""
        if got == 0:
            self._most_ahead = 0
            return
        if 2 * got >= asked:  # a backlog: SQS does not promise to find as many as there are
            self._most_ahead = max(got, 4 * self._most_ahead)
            if seconds < limits.RECEIVE_LONGEST_SECONDS:
                self._receive_seconds = _mean(self._receive_seconds, seconds)

    @property
    def has_backlog(self) -> bool:
        """Whether the last receives brought about as much as they asked for."""
        return self._most_ahead > 0

    def next_receive(self, load: Load) -> Ask | None:
        """Decide about the next receive; None for none now."""
        ahead = load.in_container + load.waiting + load.asked - self._slots  # negative: slots are free
        soon_used, most = self._ahead(load.mean_age)
        count = min(most - ahead, limits.SQS_BATCH_ENTRIES)
        if ahead > soon_used or count < 1:
            return None
        # Who asks for more than there are slots does not wait long: it must not take what others could begin.
        is_ahead = count > -ahead
        return Ask(count, limits.AHEAD_POLL_SECONDS if is_ahead else self._long_poll_seconds)

    def _ahead(self, mean_age: float) -> tuple[int, int]:
        """How many requests begin while two receives take place, and how many may wait for the container."""
        if self._work_seconds is None or not self._most_ahead:
            return 0, 0
        work_seconds = max(self._work_seconds, mean_age, 1e-4)
        rate = self._slots / work_seconds
        receive_seconds = self._receive_seconds or limits.RECEIVE_GUESS_SECONDS
        soon_used = math.ceil(rate * 2 * receive_seconds - 0.1)
        most = min(int(rate * limits.AHEAD_SECONDS), soon_used + limits.SQS_BATCH_ENTRIES, self._most_ahead)
        return min(soon_used, most), most


def _mean(before: float | None, measured: float) -> float:
    """The moving mean with a new measurement; the first one stands for itself."""
    return measured if before is None else before + _WEIGHT * (measured - before)
