"""One request from its message to its end: the attempt, its result, the message's deletion."""

import logging
import time
from datetime import UTC, datetime

from cortex_async import limits, logs
from cortex_async.dispatcher import outcome, suspicion
from cortex_async.dispatcher.attempt import AttemptRunner, Verdict
from cortex_async.dispatcher.cancellations import Cancellations, Check
from cortex_async.dispatcher.events import Events
from cortex_async.dispatcher.in_flight import InFlight, Request
from cortex_async.dispatcher.metrics import DispatcherMetrics
from cortex_async.dispatcher.outcome import Action, Decision, Failure
from cortex_async.dispatcher.results import store_result
from cortex_async.errors import AwsRefused
from cortex_async.metrics import new_registry
from cortex_async.queue.protocol import Queue
from cortex_async.storage.protocol import Progress, Status, Store

log = logging.getLogger(__name__)


class Processor:
    """Processes requests in flight, any number at once; store and dead-letter queue are persistent."""

    def __init__(
        self,
        store: Store,
        in_flight: InFlight,
        dead_letters: Queue,
        attempts: AttemptRunner,
        metrics: DispatcherMetrics | None = None,
        cancellations: Cancellations | None = None,
        events: Events | None = None,
    ) -> None:
        self._events = events
        self._store = store
        self._in_flight = in_flight
        self._dead_letters = dead_letters
        self._attempts = attempts
        self._cancellations = cancellations or Cancellations(store)
        self._metrics = metrics or DispatcherMetrics(new_registry(), "")

    async def process(self, request: Request) -> None:
        """Bring one request to its end, or give it back for a retry; when cancelled it stays in flight."""
        logs.within_trace(request.message.traceparent)
        is_first = request.receive_count == 1 and not request.message.is_checked  # of others the bucket is asked
        check = self._cancellations.check(request) if is_first else None
        if not await self._in_flight.take_slot(request):
            if check is not None:
                check.cancel()
            await self.decline(request)
            return
        may_begin = await self._may_begin(request, check)
        if may_begin and request.is_suspect and not await self._take_slot_apart(request):
            await self.decline(request)
            return
        if may_begin and request.is_suspect and await self._store.has_result(request.id):
            may_begin = False  # cancelled while it waited for its turn
        facts = {"id": request.id, "attempt": request.attempt, "receive_count": request.receive_count}
        log.info("request taken", extra=facts)
        verdict = await self._attempt(request) if may_begin else None
        self._in_flight.free_slot(request)
        self._metrics.ended(request, verdict.decision if verdict else None)
        end = await self._finish(request, verdict) if verdict else await self._clean_up_after_another(request)
        request.marker.close()
        self._in_flight.remove(request)
        seconds = round(time.monotonic() - request.received_at, 3)
        log.info("request ended", extra={**facts, "end": end, "seconds": seconds})

    async def decline(self, request: Request) -> None:
        """Give a request back that has not begun."""
        await self._in_flight.release(request, 0, limits.RELEASE_SECONDS / 2)
        self._in_flight.remove(request)
        log.info("request given back before it began", extra={"id": request.id})

    async def give_back(self, request: Request, seconds: float) -> None:
        """Give an unfinished request back on shutdown: an attempt that was cut short does not count."""
        if request.is_settled:
            request.marker.close()
        else:
            before = Progress(request.attempt - 1, is_suspect=request.is_suspect, is_waiting=True)
            await request.marker.take_back(before, seconds / 2)
        await self._in_flight.release(request, 0, seconds / 2)

    async def _may_begin(self, request: Request, check: Check | None) -> bool:
        """Whether the request has no result yet; also finds out which attempt this one is.

        A message that was received before tells nothing of how far that went, so the bucket is asked.
        """
        if request.message.is_checked:
            request.begun_by = await self._store.begin_once(request.id, next(iter(request.receipts)))
            request.is_repeated = request.begun_by not in request.receipts
        elif request.receive_count == 1:
            return check is None or await check
        if await self._store.has_result(request.id):
            request.is_repeated = False
            return False
        if request.is_repeated:
            return False
        standing = suspicion.on_return(await self._store.progress(request.id))
        request.attempt, request.is_suspect = standing.attempt, standing.is_suspect
        return True

    async def _take_slot_apart(self, request: Request) -> bool:
        attempts = self._attempts.attempts(request)
        if attempts.current > attempts.maximum:
            return True  # it is failed without another attempt
        alone = suspicion.goes_alone(attempts.current, attempts.maximum, is_suspect=True)
        return await self._in_flight.take_slot_apart(request, alone=alone)

    async def _attempt(self, request: Request) -> Verdict:
        """Make an attempt that is marked in the bucket: before it begins, unless it is the first."""
        attempts = self._attempts.attempts(request)
        refusal = outcome.on_receive(attempts, request.receive_count)
        if refusal is None and (ttl := request.message.policy.ttl_seconds):
            refusal = outcome.on_wait(time.time() - request.issued_at, ttl)
        if refusal is not None:
            return Verdict(refusal)
        self._metrics.attempt_begins()
        request.attempted_at = datetime.now(UTC)
        if self._events is not None:
            self._events.begins(request)
        is_suspect = request.is_suspect
        progress = Progress(request.attempt, self._in_flight.is_shared and not is_suspect, is_suspect)
        if request.receive_count > 1:
            await request.marker.ensure(progress)
            return await self._attempts.run(request)
        with request.marker.after_a_while(progress):
            return await self._attempts.run(request)

    async def _finish(self, request: Request, verdict: Verdict) -> str:
        """Do what was decided, and return it in words for the log."""
        decision = verdict.decision
        match decision.action:
            case Action.RETRY:
                await self._settle(request, decision)
                await self._in_flight.release(request, decision.delay_seconds, limits.RETRY_LONGEST_SECONDS)
                return f"retried in {decision.delay_seconds} s"
            case Action.COMPLETE:
                await self._clean_up(request)
                return "completed"
            case Action.DROP:
                await self._clean_up_after_another(request)
                return decision.code
            case Action.FAIL:
                return await self._fail(request, verdict)

    async def _fail(self, request: Request, verdict: Verdict) -> str:
        decision = verdict.decision
        has_attempted = decision.code not in ("attempts_exhausted", "expired")
        if decision.dead_letter:
            if await self._store.has_result(request.id):
                return await self._clean_up_after_another(request)
            if has_attempted:
                await self._settle(request, decision)
            # before the result: once there is one, nobody would miss the dead letter
            await self._dead_letters.send(request.id, request.message.encode())
        attempts = request.attempt if has_attempted else request.attempt - 1
        failure = Failure(decision.code, decision.message, attempts, verdict.status_code, verdict.body)
        await store_result(
            self._store,
            request,
            failure.encode(),
            Status.EXPIRED if decision.code == "expired" else Status.FAILED,
            attempts=attempts,
            dead_letter=decision.dead_letter,
        )
        await self._clean_up(request, keep_payload=decision.dead_letter)
        return f"failed: {decision.code}"

    async def _settle(self, request: Request, decision: Decision) -> None:
        """Record what this attempt came to, for when the message comes back."""
        request.is_settled = True
        attempt = request.attempt if decision.counts else request.attempt - 1
        is_waiting = decision.action is Action.RETRY
        await request.marker.ensure(Progress(attempt, is_suspect=decision.is_suspect, is_waiting=is_waiting))

    async def _clean_up_after_another(self, request: Request) -> str:
        """Clean up when another attempt has a result, which may be that of a dead letter."""
        if request.is_repeated:  # the payload may be that of the message that has begun
            await self._in_flight.delete_others(request, request.begun_by)
            return "begun by another message"
        keep = request.message.is_stored and await self._store.is_dead_letter(request.id)
        await self._clean_up(request, keep_payload=keep)
        return "had a result already"

    async def _clean_up(self, request: Request, *, keep_payload: bool = False) -> None:
        """Remove the payload, unless a dead letter needs it, and the message: there is a result now.

        The message goes last: when this process is killed in between, it comes back, and the rest is done then. So
        it does when the event for a webhook could not be queued.
        """
        if request.message.is_stored and not keep_payload:
            try:
                for payload_id in request.message.may_be_stored_under:
                    await self._store.delete_payload(payload_id)
            except AwsRefused as error:  # the bucket's lifecycle rule will do it
                log.warning("could not delete a payload", extra={"id": request.id, "reason": str(error)})
        if self._events is None or await self._events.ends(request):
            await self._in_flight.delete(request)
        else:
            delay = self._events.delay_seconds(request)
            await self._in_flight.release(request, delay, limits.RETRY_LONGEST_SECONDS)
