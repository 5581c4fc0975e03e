"""One request from its message to its result."""

import asyncio
import logging
import time
from collections.abc import Callable

from cortex_async.config import ApiConfig
from cortex_async.dispatcher import outcome
from cortex_async.dispatcher.exchange import Exchange, Reply
from cortex_async.dispatcher.hand import Hand, Held
from cortex_async.dispatcher.outcome import Action, Failure
from cortex_async.dispatcher.persistence import keep_trying
from cortex_async.errors import AwsError, AwsRefused, ObjectExists
from cortex_async.queue.queue import Queue
from cortex_async.storage.store import Ending, Status, Store

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
        on_answered: Callable[[Held], None],
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
        begins = await self._may_begin(held)
        facts = {"id": held.message.id, "attempt": held.attempt, "receive_count": held.receive_count}
        log.info("request taken", extra=facts)
        reply = await self._reply(held) if begins else None
        self._on_answered(held)
        end = await self._finish(held, reply) if reply else await self._clean_up_after_another(held)
        self._hand.drop(held)
        seconds = round(time.monotonic() - held.since, 3)
        facts = {"id": held.message.id, "attempt": held.attempt, "end": end, "seconds": seconds}
        log.info("request ended", extra=facts)

    async def _may_begin(self, held: Held) -> bool:
        """Whether the request has no result yet; also finds out which attempt this one is.

        A message that was received before tells nothing of how far that went, so the bucket is asked.
        """
        if held.receive_count == 1:
            return True
        request_id = held.message.id
        if await keep_trying(lambda: self._store.has_result(request_id, None)):
            return False
        held.attempt = 1 + await keep_trying(lambda: self._store.attempts_begun(request_id, None))
        return True

    async def _reply(self, held: Held) -> Reply:
        """Make an attempt, and leave the sign of it: before it begins, unless it is the first."""
        refusal = outcome.on_receive(self._exchange.attempts(held), held.receive_count)
        if refusal is not None:
            return Reply(refusal)
        if held.receive_count > 1:
            await keep_trying(lambda: self._mark(held, None))
            return await self._exchange.run(held)
        mark = asyncio.get_running_loop().call_later(_MARK_AFTER_SECONDS, self._start_marking, held)
        try:
            return await self._exchange.run(held)
        finally:
            mark.cancel()

    async def give_back(self, held: Held, seconds: float) -> None:
        """Give an unfinished request back on shutdown: an attempt that was cut short does not count."""
        unsure = False
        if held.marking is not None:
            unsure = bool((await asyncio.wait({held.marking}, timeout=seconds / 4))[1])
            held.marking.cancel()
        if (held.marked or unsure) and not held.counts:
            held.attempt -= 1
            await self._try_to_mark(held, seconds / 4)
        await self._hand.release(held, 0, seconds / 2)

    async def _finish(self, held: Held, reply: Reply) -> str:
        decision = reply.decision
        if decision.action is Action.RETRY:
            await self._leave_sign(held)
            await self._hand.release(held, decision.delay_seconds, self._patience)
            return f"retried in {decision.delay_seconds} s"
        if decision.action is Action.COMPLETE:
            if reply.result is not None:
                await self._put(held, reply.result, Ending.now(Status.COMPLETED, held.attempt))
            return await self._clean_up(held, "completed")
        attempts = held.attempt - 1 if decision.code == "attempts_exhausted" else held.attempt
        failure = Failure(decision.code, decision.message, attempts, reply.status_code, reply.body)
        if decision.dead_letter:
            if await keep_trying(lambda: self._store.has_result(held.message.id, None)):
                return await self._clean_up_after_another(held)
            if decision.code != "attempts_exhausted":  # which is none
                await self._leave_sign(held)
            # before the result: once there is one, nobody would miss the letter
            await keep_trying(lambda: self._dead_letters.send(held.message.id, held.message.encode(), None))
        ending = Ending.now(Status.FAILED, held.attempt, dead_letter=decision.dead_letter)
        await self._put(held, failure.encode(), ending)
        return await self._clean_up(held, f"failed: {decision.code}", keep_payload=decision.dead_letter)

    async def _leave_sign(self, held: Held) -> None:
        """Make sure that this attempt, which has failed, counts when the message comes back."""
        held.counts = True
        if held.marking is not None:
            await held.marking
        if not held.marked:
            await keep_trying(lambda: self._mark(held, None))

    async def _put(self, held: Held, result: bytes, ending: Ending) -> None:
        try:
            await keep_trying(lambda: self._store.put_result(held.message.id, result, ending, None))
        except ObjectExists:
            log.info("another attempt was first; this result is dropped", extra={"id": held.message.id})

    async def _clean_up_after_another(self, held: Held) -> str:
        """Clean up when another attempt has a result, which may be that of a dead letter."""
        keep = held.message.payload is None and await keep_trying(
            lambda: self._store.is_dead_letter(held.message.id, None)
        )
        return await self._clean_up(held, "had a result already", keep_payload=keep)

    async def _clean_up(self, held: Held, end: str, *, keep_payload: bool = False) -> str:
        """Remove the payload, unless a dead letter needs it, and the message: there is a result now.

        The message goes last: when this process is killed in between, it comes back, and the rest is done then.
        """
        if held.message.payload is None and not keep_payload:
            await self._delete_payload(held.message.id)
        await self._hand.delete(held)
        return end

    async def _delete_payload(self, request_id: str) -> None:
        try:
            await self._store.delete_payload(request_id, None)
        except AwsRefused as error:  # the bucket's lifecycle rule will do it
            log.warning("could not delete a payload", extra={"id": request_id, "reason": str(error)})

    def _start_marking(self, held: Held) -> None:
        if not held.marked:
            held.marking = asyncio.create_task(self._try_to_mark(held, self._patience))
            self._marking.add(held.marking)
            held.marking.add_done_callback(self._marking.discard)

    async def _try_to_mark(self, held: Held, patience: float) -> None:
        try:
            await self._mark(held, patience)
        except AwsError as error:
            log.warning(
                "could not mark a request as in progress", extra={"id": held.message.id, "reason": str(error)}
            )

    async def _mark(self, held: Held, patience: float | None) -> None:
        await self._store.mark_in_progress(held.message.id, held.attempt, patience)
        held.marked = True
