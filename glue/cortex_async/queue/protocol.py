"""What gateway and dispatcher ask of a queue; `SqsQueue` is the real one, tests have one in memory."""

from dataclasses import dataclass
from typing import Protocol

from cortex_async.aws.sqs import Received

__all__ = ["AT_ONCE", "Depth", "Queue", "Received", "Sending"]


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages wait, and how many were received and are not deleted; both about right."""

    queued: int
    active: int


@dataclass(frozen=True, slots=True)
class Sending:
    """How a message is sent: after a delay, which a FIFO queue does not know, and for whom, for fair queues."""

    delay_seconds: int = 0
    group: str | None = None


AT_ONCE = Sending()


class Queue(Protocol):
    """One queue. Each method but `receive` is tried as the policy says with which the queue was opened."""

    async def send(self, request_id: str, body: str, how: Sending = AT_ONCE) -> None:
        """Put one message on the queue; raises AwsUnavailable, and AwsRefused unless opened as PERSISTENT."""
        ...

    async def depth(self) -> Depth:
        """Count the messages, in a single try; raises AwsUnavailable and AwsRefused."""
        ...

    async def receive(self, count: int, wait_seconds: int) -> list[Received]:
        """Wait `wait_seconds` (at most 20) for at most `count` (1 to 10) messages, in a single try.

        Raises AwsUnavailable and AwsRefused.
        """
        ...

    async def delete(self, receipt_handle: str) -> None:
        """Take a message off the queue for good, together with others; raises AwsUnavailable and AwsRefused."""
        ...

    def flush(self) -> None:
        """Let no deletion wait for others any more: the process is about to end."""
        ...

    async def extend(self, receipt_handle: str) -> None:
        """Keep a message hidden for one visibility timeout from now on; raises as `delete` does."""
        ...

    async def release(self, receipt_handle: str, delay_seconds: int) -> None:
        """Give a message back: it can be received again after the delay; raises as `delete` does."""
        ...
