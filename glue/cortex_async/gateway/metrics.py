"""What a gateway measures: the calls of its clients, and what the queue holds."""

from collections import Counter, deque
from collections.abc import Callable

from cortex_async import limits
from cortex_async.gateway.scaling import Measure, Sampler
from cortex_async.metrics import Reading, Values, status_label

_METHODS = frozenset({"GET", "POST", "DELETE"})


class GatewayMetrics:
    """The counters of one gateway."""

    def __init__(self, sampler: Sampler) -> None:
        self._calls: Counter[tuple[str, int]] = Counter()
        self._submitted = 0
        self.recent: deque[str] = deque(maxlen=limits.RECENT_REQUESTS)
        """The ids that were submitted last."""
        self.sampler = sampler

        def queue(name: str, text: str, value: Callable[[], float | None]) -> Reading:
            def read() -> Values:
                found = value()
                return {} if found is None else {(): found}

            return Reading("gauge", f"cortex_async_{name}", f"{text} (the same from every gateway)", read)

        def of(value: Callable[[Measure], float]) -> Callable[[], float | None]:
            def read() -> float | None:
                found = sampler.latest()
                return None if found is None else value(found)

            return read

        self.readings = [
            Reading(
                "counter",
                "cortex_async_gateway_requests",
                "HTTP requests of clients by method and status code.",
                self._read_calls,
                ("method", "status_code"),
            ),
            Reading(
                "counter",
                "cortex_async_submitted",
                "Requests that were put on the queue.",
                lambda: {(): self._submitted},
            ),
            queue("queued", "Requests that wait in the queue.", of(lambda found: found.queued)),
            queue(
                "in_flight",
                "Requests that wait or are being processed.",
                of(lambda found: found.queued + found.active),
            ),
            queue(
                "in_flight_average",
                "The measure that scales: in flight, averaged.",
                of(lambda found: found.in_flight),
            ),
            queue("backlog_seconds", "Seconds since nothing waited, at most.", sampler.backlog_seconds),
        ]

    def answered(self, method: str, status: int) -> None:
        """Count the answer to a client."""
        self._calls[method if method in _METHODS else "other", status] += 1

    def _read_calls(self) -> Values:
        return {(method, status_label(status)): count for (method, status), count in self._calls.items()}

    def submitted(self, request_id: str) -> None:
        """Count a request that was put on the queue."""
        self._submitted += 1
        self.recent.append(request_id)
        self.sampler.window.submitted()
