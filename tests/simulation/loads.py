"""Requests in flight over time, one number a second.

They do not depend on the replicas: both algorithms see the same.
"""

import math


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
