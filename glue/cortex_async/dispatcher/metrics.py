"""What a dispatcher measures: the original's names, and what tells why an API is slow or fails."""

import time
from collections import Counter
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Histogram

from cortex_async import limits
from cortex_async.dispatcher.in_flight import InFlight, Request
from cortex_async.dispatcher.outcome import Action, Decision
from cortex_async.dispatcher.readiness import Readiness
from cortex_async.metrics import API_LABELS, Reading, Readings, Values, api_values, status_label

_PROCESSING_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
_WAIT_SECONDS = (0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)

Reader = Callable[[], float]


class DispatcherMetrics:
    """The counters of one dispatcher; what it has in flight is read when it is asked for."""

    def __init__(self, registry: CollectorRegistry, api_name: str) -> None:
        self._registry = registry
        self._api_name = api_name
        self._api = api_values(api_name)
        self._answers: Counter[str] = Counter()
        self._ends: Counter[tuple[str, str]] = Counter()
        self._attempts = self._retries = self._dead_letters = self._given_back = 0
        self._last_wait_seconds = self._received_at = 0.0
        self._draining = False
        self._latency = Histogram(
            "cortex_async_latency",
            "Seconds from sending a request to the container until it had done its part.",
            (*API_LABELS, "status_code"),
            registry=registry,
            buckets=_PROCESSING_SECONDS,
        )
        self._latencies: dict[str, Histogram] = {}
        self._wait = Histogram(
            "cortex_async_queue_wait_seconds",
            "Seconds from a request's submission until it was received for the first time.",
            API_LABELS,
            registry=registry,
            buckets=_WAIT_SECONDS,
        ).labels(*self._api)

    def received(self, issued_at: float) -> None:
        """Count a request that was received for the first time, by when it was submitted (epoch seconds)."""
        self._received_at = time.time()
        self._last_wait_seconds = max(0.0, self._received_at - issued_at)
        self._wait.observe(self._last_wait_seconds)

    def attempt_begins(self) -> None:
        """Count an attempt."""
        self._attempts += 1

    def ended(self, request: Request, decision: Decision | None) -> None:
        """Count how an attempt ended; without a decision another attempt had a result already."""
        if request.posted_at is not None:
            status = status_label(request.status)
            self._answers[status] += 1
            latency = self._latencies.get(status)
            if latency is None:
                latency = self._latencies[status] = self._latency.labels(*self._api, status)
            latency.observe((request.left_at or request.posted_at) - request.posted_at)
        if decision is None:
            self._ends["duplicate", ""] += 1
        elif decision.action is Action.RETRY:
            self._retries += 1
        elif decision.action is Action.COMPLETE:
            self._ends["completed", ""] += 1
        elif decision.action is Action.DROP:
            self._ends[decision.code, ""] += 1
        else:
            self._ends["expired" if decision.code == "expired" else "failed", decision.code] += 1
            self._dead_letters += decision.dead_letter

    def gave_back(self, count: int) -> None:
        """Count requests that a shutdown gave back to the queue unfinished."""
        self._given_back += count

    def drains(self) -> None:
        """Say that the shutdown has begun."""
        self._draining = True

    def _oldest_age_seconds(self) -> float:
        is_recent = time.time() - self._received_at < limits.SQS_LONG_POLL_SECONDS * 3
        return self._last_wait_seconds if is_recent else 0.0

    def watch(self, in_flight: InFlight, readiness: Readiness, slots: int) -> None:
        """Add what is read when it is asked for."""

        def one(value: float) -> Values:
            return {(): value}

        def reading(kind: str, name: str, text: str, value: Reader) -> Reading:
            return Reading(kind, f"cortex_async_{name}", text, lambda: one(value()))

        Readings(
            self._registry,
            self._api_name,
            [
                Reading(
                    "untyped",
                    "cortex_async_request_count",
                    "Responses of the container by status code; none: it gave no response.",
                    lambda: {(status,): count for status, count in self._answers.items()},
                    ("status_code",),
                ),
                Reading(
                    "counter",
                    "cortex_async_results",
                    "Requests that ended: completed, cancelled, expired, failed with a code, or duplicates.",
                    lambda: {end: count for end, count in self._ends.items()},
                    ("status", "code"),
                ),
                reading("gauge", "active", "Requests that the container is processing.", lambda: in_flight.active),
                reading("gauge", "slots", "Requests that may be in the container at once.", lambda: slots),
                reading("counter", "busy_seconds", "Seconds of all slots taken.", lambda: in_flight.busy_seconds),
                reading(
                    "gauge",
                    "oldest_age_seconds",
                    "Age of the request received last, when it came; 0 when none came for a minute.",
                    self._oldest_age_seconds,
                ),
                reading("counter", "attempts", "Attempts that began.", lambda: self._attempts),
                reading("counter", "retries", "Attempts that are followed by another.", lambda: self._retries),
                reading(
                    "counter", "dead_letters", "Requests put on the dead-letter queue.", lambda: self._dead_letters
                ),
                reading("gauge", "ready", "Whether every readiness probe passes (1).", lambda: readiness.is_ready),
                reading("gauge", "draining", "Whether the pod is shutting down (1).", lambda: self._draining),
                reading(
                    "counter",
                    "given_back",
                    "Requests given back unfinished by a shutdown.",
                    lambda: self._given_back,
                ),
            ],
        )
