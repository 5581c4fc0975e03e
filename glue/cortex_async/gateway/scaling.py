"""The measure that scales the API: requests in flight, sampled every 10 s and averaged over the window.

Every gateway samples by itself: SQS's counters are the same for all of them. Only a submit that came in since the
last sample is known to one gateway alone, and SQS's counters may be late by seconds. Where that matters, at zero
replicas, two things make up for it: an interval in which this gateway took a submit counts as one request at the
least, and while nothing is in flight a reading asks SQS anew, so that any gateway tells of the others' submits.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cortex_async import limits
from cortex_async.errors import AwsError, CortexError
from cortex_async.queue.protocol import Depth

log = logging.getLogger(__name__)


class NoSample(CortexError):
    """The queue could not be asked for too long."""


@dataclass(frozen=True)
class Measure:
    """What is in flight: averaged over the window, and by the newest sample, `age_seconds` old."""

    in_flight: float
    queued: int
    active: int
    age_seconds: float


class Window:
    """The samples of one window, as pure state: times are seconds of any clock that only goes forward."""

    def __init__(self, window_seconds: int, least: float) -> None:
        self._samples: deque[float] = deque(maxlen=max(1, round(window_seconds / limits.SAMPLE_SECONDS)))
        self._least = least
        self._submitted = False
        self._since = 0  # submissions since the newest sample
        self._latest = Depth(0, 0)
        self.sampled_at: float | None = None
        self.empty_at: float | None = None

    def submitted(self) -> None:
        """Say that a request came in."""
        self._submitted = True
        self._since += 1

    @property
    def queued(self) -> int:
        """How many wait, by the newest sample, and what has come in here since; 0 without one."""
        return self._latest.queued + self._since if self.sampled_at is not None else 0

    def sampled(self, depth: Depth, now: float, *, regular: bool = True) -> None:
        """Take a sample; one that is not regular replaces the newest, and begins no interval of its own."""
        if regular or not self._samples:
            self._samples.append(self._counted(depth))
            self._submitted = False
        else:
            self._samples[-1] = max(self._samples[-1], self._counted(depth))
        self._latest = depth
        self._since = 0
        self.sampled_at = now
        if depth.queued == 0 or self.empty_at is None:
            self.empty_at = now

    def forget(self) -> None:
        """Forget the samples: nobody has asked for long, so that they are old."""
        self._samples.clear()
        self.sampled_at = self.empty_at = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing was in flight for the whole window, nor came in since."""
        return not self._submitted and not any(self._samples)

    def measure(self, now: float) -> Measure:
        """Return the measure; raises NoSample when the newest sample is too old to act by."""
        if self.sampled_at is None or now - self.sampled_at > limits.SAMPLE_VALID_SECONDS:
            raise NoSample(f"the queue's counters could not be read for {limits.SAMPLE_VALID_SECONDS:g} s")
        samples = list(self._samples)
        if self._submitted:
            samples[-1] = max(samples[-1], self._least)
        return Measure(
            sum(samples) / len(samples), self._latest.queued, self._latest.active, now - self.sampled_at
        )

    def _counted(self, depth: Depth) -> float:
        return max(depth.queued + depth.active, self._least if self._submitted else 0)


class Sampler:
    """Samples while somebody reads: what nobody asks for costs no call."""

    def __init__(self, window_seconds: int, target_in_flight: float) -> None:
        # not more than one replica's share: a submit alone must not ask for two
        self.window = Window(window_seconds, min(1.0, target_in_flight))
        self._depth: Callable[[], Awaitable[Depth]] | None = None
        self._read_at = 0.0
        self._asked = asyncio.Event()
        self._lock = asyncio.Lock()

    async def run(self, depth: Callable[[], Awaitable[Depth]]) -> None:
        """Sample every 10 s until cancelled."""
        self._depth = depth
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - self._read_at > limits.SAMPLE_UNREAD_SECONDS:
                self._asked.clear()
                self.window.forget()
                await self._asked.wait()
            due = loop.time() + limits.SAMPLE_SECONDS
            await self._sample(regular=True)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def read(self) -> Measure:
        """Return the measure; raises NoSample."""
        self._touch()
        now = asyncio.get_running_loop().time()
        sampled_at = self.window.sampled_at
        is_old = sampled_at is None or now - sampled_at > limits.SAMPLE_SECONDS + 1
        if is_old or (self.window.is_idle and now - (sampled_at or 0) > limits.SAMPLE_IDLE_SECONDS):
            async with self._lock:
                if self.window.sampled_at == sampled_at:
                    await self._sample(regular=False)
        return self.window.measure(asyncio.get_running_loop().time())

    def latest(self) -> Measure | None:
        """Return the measure as it is, for metrics."""
        self._touch()
        try:
            return self.window.measure(asyncio.get_running_loop().time())
        except NoSample:
            return None

    def queued(self) -> int:
        """How many requests wait, about; sampled from now on. 0 while that cannot be told."""
        return self.window.queued if self.latest() is not None else 0

    def backlog_seconds(self) -> float | None:
        """For how long something has been waiting in the queue, at the most."""
        if self.window.empty_at is None or self.window.sampled_at is None:
            return None
        return self.window.sampled_at - self.window.empty_at

    def _touch(self) -> None:
        self._read_at = asyncio.get_running_loop().time()
        self._asked.set()

    async def _sample(self, *, regular: bool) -> None:
        if self._depth is None:
            return
        try:
            async with asyncio.timeout(limits.SAMPLE_CALL_SECONDS):
                depth = await self._depth()
        except (AwsError, TimeoutError) as error:
            log.warning("the queue's counters cannot be read", extra={"reason": str(error) or "no answer in time"})
            return
        self.window.sampled(depth, asyncio.get_running_loop().time(), regular=regular)
