"""Feeds one pod from the queue, and on shutdown lets it finish what it has."""

import asyncio
import logging

from cortex_async.aws.sqs import LONG_POLL_SECONDS, Received
from cortex_async.config import ApiConfig
from cortex_async.dispatcher.exchange import Exchange
from cortex_async.dispatcher.hand import Hand, Held
from cortex_async.dispatcher.probes import Readiness
from cortex_async.dispatcher.receiver import Receiver
from cortex_async.dispatcher.target import Target
from cortex_async.dispatcher.worker import Worker
from cortex_async.queue.message import NotOurs, decode
from cortex_async.queue.queue import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.store import Store

log = logging.getLogger(__name__)

_RELEASE_SECONDS = 4.0  # of the grace period: for giving back what could not be finished
_CANCEL_SECONDS = 1.0  # of those: for work to end that is told to; it may be aborting an upload that S3 holds up


def _long_poll_seconds(grace_seconds: int) -> int:
    """The longest receive that surely ends within the grace period, with half of it left for the work."""
    return max(1, min(LONG_POLL_SECONDS, grace_seconds // 2 - round(_RELEASE_SECONDS / 2)))


class Feeder:
    """Takes messages as slots get free, and processes each in a task of its own."""

    def __init__(
        self,
        config: ApiConfig,
        queue: Queue,
        dead_letters: Queue,
        store: Store,
        target: Target,
        readiness: Readiness,
    ) -> None:
        self._ids = RequestIds(config.cluster_name, config.name)
        self._hand = Hand(queue, config.queue.visibility_timeout_seconds)
        wait_seconds = _long_poll_seconds(config.pod.termination_grace_period_seconds)
        self._receiver = Receiver(
            queue, self._hand, readiness, config.pod.max_concurrency, wait_seconds, self._deliver
        )
        exchange = Exchange(config, store, target, readiness, self._answered)
        self._worker = Worker(config, store, self._hand, dead_letters, exchange, self._answered)
        self._readiness = readiness
        self._work: dict[asyncio.Task[None], Held] = {}
        self._draining = False

    async def run(self) -> None:
        """Receive and process until cancelled; then call `drain`."""
        await self._receiver.run()

    async def heartbeat(self) -> None:
        """Keep what is in hand hidden from others, until cancelled: to be stopped only after `drain`."""
        await self._hand.heartbeat()

    async def drain(self, seconds: float) -> None:
        """Finish what is in hand; what is not finished after that time is given back to the queue."""
        self._draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(0, seconds - _RELEASE_SECONDS)
        log.info("draining", extra={"in_hand": len(self._hand), "seconds": round(seconds)})
        finishing = asyncio.create_task(self._receiver.finish())
        await asyncio.wait({finishing}, timeout=deadline - loop.time())
        if self._work:
            await asyncio.wait(self._work, timeout=max(0, deadline - loop.time()))
        unfinished = [finishing, *self._work]
        for task in unfinished:
            task.cancel()
        until = loop.time() + _RELEASE_SECONDS
        await asyncio.wait(unfinished, timeout=_CANCEL_SECONDS)
        seconds_left = until - loop.time()
        left = list(self._hand)
        releases = [asyncio.create_task(self._worker.give_back(held, seconds_left)) for held in left]
        if releases:
            await asyncio.wait(releases, timeout=seconds_left)
        log.info("drained", extra={"given_back": len(left)})

    def _deliver(self, received: Received) -> None:
        try:
            message = decode(received.body)
            if self._ids.issued_at(message.id) is None:
                raise NotOurs("its id was not issued for this API; do two APIs share one queue?")
        except NotOurs as error:
            facts = {
                "message_id": received.message_id,
                "receive_count": received.receive_count,
                "reason": str(error),
            }
            log.error("a message that is not ours is left for the dead-letter queue", extra=facts)
            return
        held = self._hand.take(message, received)
        if held is None:
            log.info("a request was delivered again while in hand", extra={"id": message.id})
            return
        # a long poll may bring something after the container has ceased to be ready
        wanted = self._readiness.is_ready and not self._draining
        work = self._worker.process(held) if wanted else self._give_back(held)
        task = asyncio.create_task(work)
        self._work[task] = held
        task.add_done_callback(self._ended)

    async def _give_back(self, held: Held) -> None:
        await self._hand.release(held, 0, _RELEASE_SECONDS / 2)
        self._hand.drop(held)

    def _answered(self, held: Held) -> None:
        if held.in_container:
            held.in_container = False
            self._receiver.slot_freed()

    def _ended(self, task: asyncio.Task[None]) -> None:
        held = self._work.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A defect of ours: without a heartbeat the message comes back, and its attempts are counted.
            log.error("a request was dropped by an error", exc_info=error, extra={"id": held.message.id})
            self._hand.drop(held)
        self._receiver.slot_freed()
