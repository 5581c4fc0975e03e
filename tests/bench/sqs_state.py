"""The stand-in's queues: visibility, long polls, receive counts and redrive, in memory."""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "000000000000"
_handles = itertools.count(1)
_ids = itertools.count(1)


@dataclass(slots=True, eq=False)
class Message:
    """One message; `handle` is the receipt handle of its latest receive, while it is in flight."""

    body: str
    id: str = field(default_factory=lambda: f"m{next(_ids)}")
    receive_count: int = 0
    handle: str = ""
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Waiter:
    """An open receive; `deliver` gets the messages, none when the long poll ends."""

    count: int
    visibility_seconds: float
    deliver: Callable[[list[Message]], None]
    is_there: Callable[[], bool]
    timer: asyncio.TimerHandle | None = None


class Queue:
    """One queue."""

    def __init__(self, name: str, attributes: dict[str, str], tags: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.tags = tags
        self.dead_letters: Queue | None = None
        self.visible: deque[Message] = deque()
        self.in_flight: dict[str, Message] = {}
        self._waiters: deque[Waiter] = deque()

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:us-west-2:{ACCOUNT}:{self.name}"

    @property
    def max_receives(self) -> float:
        policy = json.loads(self.attributes.get("RedrivePolicy", "{}"))
        return float(policy.get("maxReceiveCount", "inf"))

    def described(self) -> dict[str, str]:
        """Return all attributes, as GetQueueAttributes does."""
        return {
            **self.attributes,
            "QueueArn": self.arn,
            "ApproximateNumberOfMessages": str(len(self.visible)),
            "ApproximateNumberOfMessagesNotVisible": str(len(self.in_flight)),
        }

    def send(self, bodies: list[str]) -> list[str]:
        """Add messages, return their ids."""
        messages = [Message(body) for body in bodies]
        self.visible.extend(messages)
        self._serve()
        return [message.id for message in messages]

    def receive(self, waiter: Waiter, wait_seconds: float) -> None:
        """Deliver at once when there is something, else when it comes, at the latest after `wait_seconds`."""
        messages = self._take(waiter)
        if messages or not wait_seconds:
            waiter.deliver(messages)
            return
        waiter.timer = asyncio.get_running_loop().call_later(wait_seconds, self._end, waiter)
        self._waiters.append(waiter)

    def delete(self, handle: str) -> None:
        """Remove a message; a handle that is not valid any more is no error."""
        message = self.in_flight.pop(handle, None)
        if message is not None and message.timer is not None:
            message.timer.cancel()

    def change_visibility(self, handle: str, seconds: float) -> bool:
        """Hide a message for so long from now on; False when it is not in flight."""
        message = self.in_flight.get(handle)
        if message is None:
            return False
        self._hide(message, seconds)
        return True

    def _take(self, waiter: Waiter) -> list[Message]:
        taken: list[Message] = []
        while self.visible and len(taken) < waiter.count:
            message = self.visible.popleft()
            if self.dead_letters is not None and message.receive_count >= self.max_receives:
                self.dead_letters.visible.append(message)
                continue
            message.receive_count += 1
            message.handle = f"r{next(_handles)}"
            self.in_flight[message.handle] = message
            self._hide(message, waiter.visibility_seconds)
            taken.append(message)
        return taken

    def _hide(self, message: Message, seconds: float) -> None:
        if message.timer is not None:
            message.timer.cancel()
        message.timer = asyncio.get_running_loop().call_later(seconds, self._expire, message)

    def _expire(self, message: Message) -> None:
        self.in_flight.pop(message.handle, None)
        self.visible.append(message)
        self._serve()

    def _serve(self) -> None:
        while self.visible and self._waiters:
            waiter = self._waiters.popleft()
            if waiter.timer is not None:
                waiter.timer.cancel()
            if waiter.is_there():
                waiter.deliver(self._take(waiter))

    def _end(self, waiter: Waiter) -> None:
        self._waiters.remove(waiter)
        waiter.deliver([])


class Queues:
    """All queues, by name, and the operations of the JSON protocol on them."""

    def __init__(self) -> None:
        self.by_name: dict[str, Queue] = {}

    def of_url(self, url: str) -> Queue | None:
        return self.by_name.get(url.rpartition("/")[2])

    def create(self, name: str, attributes: dict[str, str], tags: dict[str, str]) -> Queue:
        queue = self.by_name.setdefault(name, Queue(name, {}, {}))
        queue.tags |= tags
        self.set_attributes(queue, attributes)
        return queue

    def set_attributes(self, queue: Queue, attributes: dict[str, str]) -> None:
        queue.attributes |= attributes
        policy: dict[str, Any] = json.loads(queue.attributes.get("RedrivePolicy") or "{}")
        queue.dead_letters = self.by_name.get(str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2])
