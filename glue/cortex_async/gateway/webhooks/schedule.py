"""What a receiver's answer means: the webhook is delivered, tried again, or given up."""

import enum
from dataclasses import dataclass

from cortex_async import limits


class Result(enum.StrEnum):
    """How one try of a webhook ended; the value is that of the metric."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GONE = "gone"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try: the status of the response, and its Retry-After; without one, `reason` says why."""

    status: int | None
    reason: str = ""
    retry_after: str | None = None

    @property
    def text(self) -> str:
        """What the log tells."""
        return f"status {self.status}" if self.status is not None else self.reason


def after(answer: Answer, tries: int, age_seconds: float, jitter: float) -> tuple[Result, int]:
    """Decide after that many tries, so long after the event; the second part is the pause until the next.

    `jitter` is from 0 to 1: pauses are up to a tenth shorter or longer.
    """
    if answer.status is not None and 200 <= answer.status < 300:
        return Result.DELIVERED, 0
    if answer.status == 410:  # Standard Webhooks: the receiver wants no more
        return Result.GONE, 0
    left = round(limits.WEBHOOK_PATIENCE_SECONDS - age_seconds)
    if left <= 0:
        return Result.GIVEN_UP, 0
    pauses = limits.WEBHOOK_RETRIES_SECONDS
    pause = round(pauses[min(tries, len(pauses)) - 1] * (0.9 + 0.2 * jitter))
    return Result.RETRIED, max(1, min(max(pause, _asked_seconds(answer.retry_after)), left))


def _asked_seconds(retry_after: str | None) -> int:
    if retry_after is None or not (retry_after.isascii() and retry_after.isdecimal() and len(retry_after) <= 9):
        return 0
    return min(int(retry_after), limits.WEBHOOK_RETRY_AFTER_MOST_SECONDS)
