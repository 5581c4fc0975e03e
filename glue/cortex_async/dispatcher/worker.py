"""One request from its message to its result."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cortex_async.config import ApiConfig
from cortex_async.dispatcher import outcome
from cortex_async.dispatcher.exchange import Exchange, Reply
from cortex_async.dispatcher.hand import Hand, Held
from cortex_async.dispatcher.outcome import Action, Failure
from cortex_async.dispatcher.persistence import keep_trying
from cortex_async.errors import AwsError, ObjectExists
from cortex_async.queue import Queue
from cortex_async.store import Ending, Status, Store

log = logging.getLogger(__name__)

_MARK_AFTER_SECONDS = 0.25  # a request that ends sooner needs no sign of being in progress, which is a PUT


class Worker:
    """Processes requests in hand; `on_answered` is called when one no longer occupies the web server."""

    def __init__(
        self,
        config: ApiConfig,
        store: Store,
        hand: Hand,
        dead_letters: Queue,
        exchange: Exchange,
        on_answered: Callable[[], None],
    ) -> None:
        self._patience = config.queue.visibility_timeout_seconds / 3
        self._store = store
        self._hand = hand
        self._dead_letters = dead_letters
        self._exchange = exchange
        self._on_answered = on_answered
        self._marking: set[asyncio.Task[None]] = set()

    async def process(self, held: Held) -> None:
        """Bring one request to its end, or give it back; when cancelled it stays in hand."""
        facts = {"id": held.message.id, "attempt": held.attempt}
        log.info("request taken", extra=facts)
        mark = asyncio.get_running_loop().call_later(_MARK_AFTER_SECONDS, self._start_marking, held.message.id)
        try:
            reply = await self._reply(held)
        finally:
            mark.cancel()
        held.in_container = False
        self._on_answered()
        end = await self._finish(held, reply) if reply else await self._clean_up(held, "had a result already")
        self._hand.drop(held)
        log.info("request ended", extra={**facts, "end": end, "seconds": round(time.monotonic() - held.since, 3)})

    async def _reply(self, held: Held) -> Reply | None:
        """Make an attempt; None when the request has a result from an earlier one."""
        if held.attempt > 1 and await keep_trying(lambda: self._store.has_result(held.message.id, None)):
            return None
        refusal = outcome.on_receive(self._exchange.attempts(held))
        return Reply(refusal) if refusal else await self._exchange.run(held)

    async def _finish(self, held: Held, reply: Reply) -> str:
        decision = reply.decision
        if decision.action is Action.RETRY:
            await self._hand.release(held, decision.delay_seconds, self._patience)
            return f"retried in {decision.delay_seconds} s"
        if decision.action is Action.COMPLETE:
            if reply.result is not None:
                await self._put(held, reply.result, Status.COMPLETED)
            return await self._clean_up(held, "completed")
        attempts = min(held.attempt, self._exchange.attempts(held).maximum)
        failure = Failure(decision.code, decision.message, attempts, reply.status_code, reply.body)
        await self._put(held, failure.encode(), Status.FAILED)
        if decision.dead_letter:
            await keep_trying(lambda: self._dead_letters.send(held.message.id, held.message.encode(), None))
        return await self._clean_up(held, f"failed: {decision.code}")

    async def _put(self, held: Held, result: bytes, status: Status) -> None:
        ending = Ending(status, held.attempt, datetime.now(UTC))
        try:
            await keep_trying(lambda: self._store.put_result(held.message.id, result, ending, None))
        except ObjectExists:
            log.info("another attempt was first; this result is dropped", extra={"id": held.message.id})

    async def _clean_up(self, held: Held, end: str) -> str:
        """Remove the message and the payload: there is a result now."""
        deletions = [self._hand.delete(held)]
        if held.message.payload is None:
            deletions.append(self._delete_payload(held.message.id))
        await asyncio.gather(*deletions)
        return end

    async def _delete_payload(self, request_id: str) -> None:
        try:
            await self._store.delete_payload(request_id, self._patience)
        except AwsError as error:  # the bucket's lifecycle rule will do it
            log.warning("could not delete a payload", extra={"id": request_id, "reason": str(error)})

    def _start_marking(self, request_id: str) -> None:
        task = asyncio.create_task(self._mark(request_id))
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)

    async def _mark(self, request_id: str) -> None:
        try:
            await self._store.mark_in_progress(request_id, self._patience)
        except AwsError as error:
            log.warning("could not mark a request as in progress", extra={"id": request_id, "reason": str(error)})
