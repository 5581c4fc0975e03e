"""What the algorithms are fed with.

`LOADS` are requests in flight, one number a second, whatever the replicas do: both algorithms see the same. A
`Recording` is of requests that come in: how many are in flight depends on how many replicas have worked on them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulation.settings import TICK_SECONDS


def ramp(minutes: int = 20, top: float = 40) -> list[float]:
    """Up to `top` in the first half, and down again."""
    half = minutes * 30
    return [top * min(second, 2 * half - second) / half for second in range(2 * half)] + [0.0] * 1200


def spike(top: float = 60) -> list[float]:
    """Little, then for three minutes `top`, then little again."""
    return [2.0] * 300 + [top] * 180 + [2.0] * 1500


def sine(period: int = 1200, middle: float = 20, swing: float = 15) -> list[float]:
    """Three waves."""
    return [middle + swing * math.sin(2 * math.pi * second / period) for second in range(3 * period)]


def steps() -> list[float]:
    """Ten minutes at each of several heights, as a batch job makes them."""
    return [float(height) for height in (5, 30, 10, 50, 5) for _ in range(600)]


def to_zero() -> list[float]:
    """Some work, nothing for half an hour, some work, nothing."""
    return [8.0] * 300 + [0.0] * 1800 + [8.0] * 300 + [0.0] * 1200


LOADS = {"ramp": ramp(), "spike": spike(), "sine": sine(), "steps": steps(), "to zero": to_zero()}


@dataclass(frozen=True)
class Recording:
    """Requests that came in, one number for every 10 s, and how many a replica takes at once, for how long."""

    arrivals: Sequence[float]
    service_seconds: float
    concurrency: int = 1

    @classmethod
    def read(cls, file: Path, service_seconds: float) -> "Recording":
        """Read what `simulation.record` printed; lines that begin with # say where it is from."""
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        return cls([float(number) for line in lines for number in line.split()], service_seconds)

    def each_second(self) -> list[float]:
        """Requests that come in at each second: those of 10 s, spread evenly."""
        return [count / TICK_SECONDS for count in self.arrivals for _ in range(TICK_SECONDS)]

    def need(self) -> list[float]:
        """Replicas that would do, if each were there when its request comes."""
        return [count * self.service_seconds / self.concurrency for count in self.each_second()]


RECORDED = Recording.read(Path(__file__).with_name("recorded.txt"), service_seconds=5)
