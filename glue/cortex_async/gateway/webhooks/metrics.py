"""What a gateway measures of its webhooks."""

import time
from collections import Counter

from cortex_async import limits
from cortex_async.gateway.webhooks.schedule import Result
from cortex_async.metrics import Reading


class WebhookMetrics:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self._results: Counter[tuple[str, ...]] = Counter()
        self._waiting: dict[str, tuple[float, float]] = {}  # by message: when the event was, and the next try
        self.readings = [
            Reading(
                "counter",
                "cortex_async_webhooks",
                "Tries of webhooks: delivered, retried, gone (the receiver wants no more) or given_up.",
                lambda: dict(self._results),
                ("result",),
            ),
            Reading(
                "gauge",
                "cortex_async_webhook_oldest_age_seconds",
                "Age of the oldest webhook that this gateway is to try again; 0 without any.",
                lambda: {(): self._oldest_age_seconds()},
            ),
        ]

    def ended(self, result: Result) -> None:
        """Count a try."""
        self._results[(result.value,)] += 1

    def waits(self, message_id: str, since: float, pause_seconds: float) -> None:
        """Remember a webhook that is tried again after a pause; `since` is when its event was."""
        if len(self._waiting) < limits.WEBHOOKS_REMEMBERED:
            self._waiting[message_id] = since, time.time() + pause_seconds

    def is_tried(self, message_id: str) -> None:
        """Say that its next try has begun."""
        self._waiting.pop(message_id, None)

    def _oldest_age_seconds(self) -> float:
        """Leave out those whose time has come and gone: another gateway has them."""
        now = time.time()
        overdue = limits.WEBHOOK_VISIBILITY_SECONDS
        self._waiting = {name: each for name, each in self._waiting.items() if each[1] + overdue > now}
        return max((now - since for since, _ in self._waiting.values()), default=0.0)
