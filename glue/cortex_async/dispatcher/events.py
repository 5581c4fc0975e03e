"""Events for webhooks: each start and each end that somebody wants to be told of goes on a queue of its own.

The dispatcher alone puts them there, and does not delete the message of a request before: whoever finds its
result, be it stored by an attempt that was killed, or by the gateway that has cancelled it, queues the event. So
each end is told at least once. No result waits for that: it is stored by then, the slot of the container is free,
and while the queue takes no events, messages go back instead of being held.
"""

import asyncio
import logging
import time
from typing import Any

from cortex_async import limits
from cortex_async.config import WebhooksConfig
from cortex_async.dispatcher.in_flight import Request
from cortex_async.errors import AwsRefused, AwsUnavailable
from cortex_async.queue.event import END, START, Event
from cortex_async.queue.protocol import Queue
from cortex_async.storage.protocol import Store

log = logging.getLogger(__name__)


class Events:
    """Queues the events of one API; `opening` is done once the queue has been found."""

    def __init__(self, config: WebhooksConfig, store: Store, opening: "asyncio.Future[Any]") -> None:
        self._wanted = frozenset(config.events)
        self._every_request = config.every_request
        self._store = store
        self._opening = opening
        self._starts: dict[str, asyncio.Task[bool]] = {}
        self._pause_until = 0.0

    def begins(self, request: Request) -> None:
        """Queue the start of a request, unless this is a further attempt; the attempt does not wait for it."""
        if START in self._wanted and request.attempt == 1 and self._is_wanted(request):
            task = self._starts[request.id] = asyncio.create_task(self._send(request, START))
            task.add_done_callback(lambda _: self._starts.pop(request.id, None))

    async def ends(self, request: Request) -> bool:
        """Queue the end of a request, which has a result; False when that has to be done later."""
        if not self._is_wanted(request):
            return True
        if request.stored is not None:
            return request.stored.value not in self._wanted or await self._send_last(request)
        return await self._has_kept_callback(request) and await self._send_last(request)

    def delay_seconds(self, request: Request) -> int:
        """How long to wait before a request is looked at again whose end could not be queued."""
        return min(limits.EVENT_LATER_SECONDS * request.receive_count, limits.EVENT_LATER_MOST_SECONDS)

    def _is_wanted(self, request: Request) -> bool:
        return self._every_request or request.message.callback_url is not None

    async def _has_kept_callback(self, request: Request) -> bool:
        """Store the URL of a request whose result does not tell it: the gateway wrote that when it cancelled."""
        if request.message.callback_url is None:
            return True
        try:
            async with asyncio.timeout(limits.EVENT_SEND_SECONDS):
                await self._store.keep_callback(request.id, request.message.callback_url)
        except (AwsRefused, TimeoutError):
            log.error("the URL of a callback cannot be stored; it is tried later", extra={"id": request.id})
            return False
        return True

    async def _send_last(self, request: Request) -> bool:
        if (start := self._starts.get(request.id)) is not None:
            await asyncio.wait({start})
        return await self._send(request, END)

    async def _send(self, request: Request, kind: str) -> bool:
        loop = asyncio.get_running_loop()
        if not self._opening.done() or loop.time() < self._pause_until:
            return False
        queue: Queue = self._opening.result()
        event = Event(request.id, kind, time.time(), request.message.callback_url)
        try:
            await queue.send(request.id, event.encode())
        except (AwsRefused, AwsUnavailable) as error:
            self._pause_until = loop.time() + limits.EVENT_PAUSE_SECONDS
            log.error(
                "an event cannot be queued; it is tried later", extra={"id": request.id, "reason": str(error)}
            )
            return False
        return True
