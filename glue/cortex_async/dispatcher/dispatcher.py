"""Feeds one pod from the queue, and on shutdown lets it finish what it has."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.dispatcher.attempt import AttemptRunner
from cortex_async.dispatcher.cancellations import Cancellations
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.events import Events
from cortex_async.dispatcher.in_flight import InFlight, Request
from cortex_async.dispatcher.metrics import DispatcherMetrics
from cortex_async.dispatcher.pace import Pace
from cortex_async.dispatcher.processor import Processor
from cortex_async.dispatcher.progress_marker import ProgressMarker
from cortex_async.dispatcher.readiness import Readiness
from cortex_async.dispatcher.receiver import Receiver
from cortex_async.metrics import new_registry
from cortex_async.queue.message import Message, NotOurs, decode
from cortex_async.queue.protocol import Queue, Received
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Store

log = logging.getLogger(__name__)

Process = Callable[[Request], Coroutine[Any, Any, None]]


def _long_poll_seconds(grace_seconds: int) -> int:
    """The longest receive that surely ends within the grace period, with half of it left for the work."""
    return max(1, min(limits.SQS_LONG_POLL_SECONDS, grace_seconds // 2 - round(limits.RELEASE_SECONDS / 2)))


class Dispatcher:
    """Takes messages as slots get free, and processes each in a task of its own; `around` is laid around that.

    `events` are told of starts and ends; None where nobody wants to know.
    """

    def __init__(
        self,
        config: ApiConfig,
        queue: Queue,
        dead_letters: Queue,
        store: Store,
        container: Container,
        readiness: Readiness,
        metrics: DispatcherMetrics | None = None,
        around: Callable[[Process], Process] | None = None,
        events: Events | None = None,
    ) -> None:
        self._ids = RequestIds(config.cluster_name, config.name)
        self._store = store
        self._readiness = readiness
        self._metrics = metrics or DispatcherMetrics(new_registry(config.name), config.name)
        visibility_seconds = config.queue.visibility_timeout_seconds
        slots = config.pod.max_concurrency
        pace = Pace(slots, _long_poll_seconds(config.pod.termination_grace_period_seconds))
        self._queue = queue
        self._in_flight = InFlight(queue, visibility_seconds, slots, pace)
        self._receiver = Receiver(queue, self._in_flight, readiness, pace)
        attempts = AttemptRunner(config, store, container, readiness, self._in_flight)
        self._cancellations = Cancellations(store)
        self._processor = Processor(
            store, self._in_flight, dead_letters, attempts, self._metrics, self._cancellations, events
        )
        self._process: Process = self._processor.process
        if around is not None:
            self._process = around(self._process)
        self._metrics.watch(self._in_flight, readiness, slots)
        self._tasks: dict[asyncio.Task[None], Request] = {}
        self._is_draining = False

    async def run(self) -> None:
        """Receive and process until cancelled; then call `drain`."""
        async with aclosing(self._receiver.messages()) as messages:  # type: ignore[type-var]
            async for received in messages:
                self._start(received)

    async def heartbeat(self) -> None:
        """Keep what is in flight hidden from others, until cancelled: to be stopped only after `drain`."""
        await self._in_flight.heartbeat()

    async def watch_cancellations(self) -> None:
        """Break off what is cancelled, until cancelled itself."""
        await self._cancellations.watch(self._in_flight)

    def report(self, request_id: str, fraction: float | None, message: str | None) -> bool:
        """Take what the container reports of a request; False when that is not with it."""
        request = self._in_flight.find(request_id)
        return request is not None and request.marker.report(fraction, message)

    async def drain(self, seconds: float) -> None:
        """Finish what is in flight; what is not finished after that time is given back to the queue."""
        self._is_draining = True
        self._metrics.drains()
        self._queue.flush()
        self._in_flight.stop_waiting()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(0, seconds - limits.RELEASE_SECONDS)
        log.info("draining", extra={"in_flight": len(self._in_flight), "seconds": round(seconds)})
        try:
            async with asyncio.timeout_at(deadline):
                await self._give_back_remaining()
        except TimeoutError:
            self._receiver.close()
        await self._finish_tasks(deadline)
        left = list(self._in_flight)
        until = deadline + limits.RELEASE_SECONDS - loop.time()
        releases = [asyncio.create_task(self._processor.give_back(each, until)) for each in left]
        if releases:
            await asyncio.wait(releases, timeout=until)
        self._metrics.gave_back(len(left))
        log.info("drained", extra={"given_back": len(left)})

    async def _give_back_remaining(self) -> None:
        async for received in self._receiver.remaining():
            self._start(received)

    async def _finish_tasks(self, deadline: float) -> None:
        """Let the work in hand end by the deadline, and cancel what has not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0, deadline - asyncio.get_running_loop().time()))
        unfinished = list(self._tasks)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=limits.CANCEL_SECONDS)

    def _start(self, received: Received) -> None:
        """Begin to process a message, or give it back when the pod cannot take it now."""
        message = self._decoded(received)
        if message is None:
            return
        if self._in_flight.find_duplicate(message, received):
            log.info("a request was delivered again while in flight", extra={"id": message.id})
            return
        request = Request(
            message,
            received.receive_count,
            {received.message_id: received.receipt_handle},
            ProgressMarker(self._store, message.id),
        )
        self._in_flight.add(request)
        # a long poll may bring something after the container has ceased to be ready
        is_wanted = self._readiness.is_ready and not self._is_draining
        step = self._process if is_wanted else self._processor.decline
        task = asyncio.create_task(step(request))
        self._tasks[task] = request
        task.add_done_callback(self._task_ended)

    def _decoded(self, received: Received) -> Message | None:
        try:
            message = decode(received.body)
            issued_at = self._ids.issued_at(message.id)
            is_payload_ours = message.payload_id is None or self._ids.issued_at(message.payload_id) is not None
            if issued_at is None or not is_payload_ours:
                raise NotOurs("its id was not issued for this API; do two APIs share one queue?")
        except NotOurs as error:
            facts = {
                "message_id": received.message_id,
                "receive_count": received.receive_count,
                "reason": str(error),
            }
            log.error("a message that is not ours is left for the dead-letter queue", extra=facts)
            return None
        if received.receive_count == 1:
            self._metrics.received(issued_at)
        return message

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        request = self._tasks.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A defect of ours: without a heartbeat the message comes back, and its attempts are counted.
            log.error("a request was dropped by an error", exc_info=error, extra={"id": request.id})
            self._in_flight.remove(request)
