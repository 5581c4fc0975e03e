"""The two algorithms, each a pure state machine fed with the requests in flight.

`Original` follows the published description of Cortex's autoscaler. `KedaAndHpa` follows the algorithm of the
HorizontalPodAutoscaler (Kubernetes' documentation, "Horizontal Pod Autoscaling") and KEDA's step between 0 and 1.
"""

import math
from collections import deque
from collections.abc import Sequence

from cortex_async.gateway.scaling import Window
from cortex_async.queue.protocol import Depth
from simulation.loads import Recording
from simulation.settings import SYNC_SECONDS, TICK_SECONDS, Rendered, Rules, Settings

_ROUNDING = 1e-9


class Original:
    """Every 10 s: average, tolerance, step, limits, stabilization."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._samples: deque[float] = deque(maxlen=settings.window // TICK_SECONDS)
        self._wanted: deque[tuple[int, int]] = deque()
        self.replicas = max(1, settings.min_replicas)

    def step(self, now: int, in_flight: float) -> int:
        """Advance to `now` (seconds), and return the number of replicas."""
        if now % TICK_SECONDS:
            return self.replicas
        self._samples.append(in_flight)
        given = self._settings
        need = sum(self._samples) / len(self._samples) / given.target_in_flight
        wanted = self._limited(math.ceil(need - _ROUNDING), need)
        self._wanted.append((now, wanted))
        self.replicas = self._stabilized(now, wanted)
        return self.replicas

    def _limited(self, wanted: int, need: float) -> int:
        given, current = self._settings, self.replicas
        if current * (1 - given.downscale_tolerance) <= need <= current * (1 + given.upscale_tolerance):
            wanted = current
        lowest = min(current - 1, math.ceil(current * given.max_downscale_factor - _ROUNDING))
        highest = max(current + 1, math.ceil(current * given.max_upscale_factor - _ROUNDING))
        return min(max(wanted, lowest, given.min_replicas), highest, given.max_replicas)

    def _stabilized(self, now: int, wanted: int) -> int:
        given = self._settings
        longest = max(given.downscale_stabilization_period, given.upscale_stabilization_period)
        while self._wanted[0][0] <= now - longest - TICK_SECONDS:
            self._wanted.popleft()
        floor = max(each for at, each in self._wanted if at >= now - given.downscale_stabilization_period)
        ceiling = min(each for at, each in self._wanted if at >= now - given.upscale_stabilization_period)
        if wanted < self.replicas:
            return min(self.replicas, max(wanted, floor))
        return max(self.replicas, min(wanted, ceiling))


class KedaAndHpa:
    """The gateway's measure every 10 s, KEDA's polls between 0 and 1, the HPA's rounds above."""

    def __init__(self, rendered: Rendered, window_seconds: int) -> None:
        self._rendered = rendered
        self._window = Window(window_seconds, min(1.0, rendered.target))
        self._wanted: deque[tuple[int, int]] = deque()
        self._steps: deque[tuple[int, int]] = deque()  # when, and by how many
        self._active_at = 0
        self.replicas = max(1, rendered.least)

    def step(self, now: int, in_flight: float) -> int:
        """Advance to `now` (seconds), and return the number of replicas."""
        if now % TICK_SECONDS == 0:
            self._window.sampled(Depth(round(in_flight), 0), float(now))
        elif self._window.is_idle and in_flight:  # a submit counts at once
            self._window.submitted()
        measure = self._window.measure(float(now)).in_flight
        if now % self._rendered.polling_seconds == 0:
            self._poll(now, measure)
        if now % SYNC_SECONDS == 0 and self.replicas:
            self._set(now, self._round(now, measure))
        return self.replicas

    def _poll(self, now: int, measure: float) -> None:
        if measure > 0:
            self._active_at = now
            if self.replicas == 0:
                self._set(now, 1)
        elif self._rendered.least == 0 and now - self._active_at >= self._rendered.cooldown_seconds:
            self._set(now, 0)
            self._wanted.clear()

    def _set(self, now: int, replicas: int) -> None:
        if replicas != self.replicas:
            self._steps.append((now, replicas - self.replicas))
            self.replicas = replicas

    def _round(self, now: int, measure: float) -> int:
        need = measure / self._rendered.target
        current = self.replicas
        tolerated = -self._rendered.down.tolerance <= need / current - 1 <= self._rendered.up.tolerance
        wanted = current if tolerated else math.ceil(need - _ROUNDING)
        self._wanted.append((now, wanted))
        wanted = self._stabilized(now, wanted)
        least = max(1, self._rendered.least)
        if wanted > current:
            return min(wanted, self._limit(now, self._rendered.up, 1), self._rendered.most)
        if wanted < current:
            return max(wanted, self._limit(now, self._rendered.down, -1), least)
        return min(max(current, least), self._rendered.most)

    def _stabilized(self, now: int, wanted: int) -> int:
        up, down = self._rendered.up.stabilization_seconds, self._rendered.down.stabilization_seconds
        while self._wanted[0][0] < now - max(up, down):
            self._wanted.popleft()
        lowest = min([wanted, *(each for at, each in self._wanted if at > now - up)])
        highest = max([wanted, *(each for at, each in self._wanted if at > now - down)])
        return min(max(self.replicas, lowest), highest)

    def _limit(self, now: int, rules: Rules, sign: int) -> int:
        """The farthest that a policy lets the number go: the largest step counts (selectPolicy Max)."""
        limits: list[int] = []
        for kind, value, period in rules.policies:
            since = sum(by for at, by in self._steps if at > now - period and by * sign > 0)
            began = self.replicas - since
            step = value if kind == "Pods" else began * value / 100
            limits.append(
                math.ceil(began + step - _ROUNDING) if sign > 0 else math.floor(began - step + _ROUNDING)
            )
        return max(limits) if sign > 0 else min(limits)


Scaler = Original | KedaAndHpa


def replay(scaler: Scaler, load: Sequence[float]) -> list[int]:
    """Feed requests in flight, one number a second, and return the replicas at each second."""
    return [scaler.step(second, in_flight) for second, in_flight in enumerate(load)]


START_SECONDS = 10
"""From a replica being asked for until it takes requests."""


def serve(scaler: Scaler, recording: Recording) -> tuple[list[int], list[float]]:
    """Feed requests as they come in; return the replicas and the requests in flight at each second.

    A request that comes in while all replicas are busy waits, as in the queue.
    """
    in_flight = 0.0
    replicas: list[int] = []
    flight: list[float] = []
    for second, arrivals in enumerate(recording.each_second()):
        in_flight += arrivals
        replicas.append(scaler.step(second, in_flight))
        flight.append(in_flight)
        slots = min(replicas[-START_SECONDS:]) * recording.concurrency
        in_flight -= min(in_flight, slots) / recording.service_seconds
    return replicas, flight
