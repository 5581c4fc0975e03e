"""One attempt: the request goes into the container, and its result into the bucket."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from cortex_async import limits
from cortex_async.backoff import Backoff
from cortex_async.config import ApiConfig
from cortex_async.dispatcher import outcome, suspicion
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.container_timeout import ContainerTimeout
from cortex_async.dispatcher.in_flight import InFlight, Request
from cortex_async.dispatcher.json_validator import InvalidJson
from cortex_async.dispatcher.outcome import Action, Attempts, Decision, NoAnswer
from cortex_async.dispatcher.readiness import Readiness
from cortex_async.dispatcher.response_body import excerpt, is_small, json_pieces, read_json
from cortex_async.dispatcher.results import store_result
from cortex_async.errors import AwsRefused, ObjectDamaged, ObjectMissing, ObjectTooLarge, UploadLost
from cortex_async.http.content_coding import decoded
from cortex_async.http.overrides import InvalidResponse
from cortex_async.payload_reference import PayloadReference
from cortex_async.storage.protocol import Status, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt led to; of a COMPLETE the result is stored already.

    `status_code` and `body` (an excerpt) are those of an error response.
    """

    decision: Decision
    status_code: int | None = None
    body: str | None = None


class AttemptRunner:
    """Makes attempts, any number at once."""

    def __init__(
        self, config: ApiConfig, store: Store, container: Container, readiness: Readiness, in_flight: InFlight
    ) -> None:
        self._store = store
        self._container = container
        self._readiness = readiness
        self._in_flight = in_flight
        self._max_attempts = config.queue.max_attempts
        self._retry_on = config.queue.retry_on
        self._references = config.storage.payload_references
        self._result_types = config.pod.result_content_types
        longest = limits.SQS_VISIBILITY_SECONDS - limits.VISIBILITY_MARGIN_SECONDS
        self._timeout_seconds = min(config.pod.request_timeout_seconds or longest, longest)

    def attempts(self, request: Request) -> Attempts:
        """Where the request stands."""
        asked = request.message.policy.max_attempts or self._max_attempts
        return Attempts(request.attempt, min(asked, self._max_attempts))

    async def run(self, request: Request) -> Verdict:
        """Make one attempt; while connections are refused, wait for the container to be ready again."""
        hold = asyncio.timeout(None)
        try:
            async with hold:
                return await self._until_connected(request, hold)
        except InvalidResponse as error:
            log.warning("a response cannot be read", extra={"id": request.id, "reason": str(error)})
            return Verdict(outcome.on_invalid_response(str(error)), error.status)
        except (aiohttp.ClientError, OSError) as error:  # its text may quote the response, or the query
            kind = NoAnswer.REFUSED if hold.expired() else NoAnswer.BROKEN
            facts = {"id": request.id, "reason": type(error).__name__}
            log.warning(kind.value[1], extra=facts)
            return Verdict(self._on_no_answer(request, kind))

    def _on_no_answer(self, request: Request, kind: NoAnswer) -> Decision:
        attempts = self.attempts(request)
        if kind is NoAnswer.BROKEN:
            company = self._in_flight.had_company(request)
            is_own_fault = suspicion.is_own_fault(is_suspect=request.is_suspect, had_company=company)
            return outcome.on_broken(attempts, is_own_fault=is_own_fault, jitter=random.random())
        if not self._readiness.is_ready:
            return outcome.on_unready(attempts, is_suspect=request.is_suspect)
        return outcome.on_no_answer(kind, attempts)

    async def _until_connected(self, request: Request, hold: asyncio.Timeout) -> Verdict:
        """Try until a connection is made: nothing was sent before. `hold` runs only while none is."""
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        hold_until = None
        while True:
            hold.reschedule(None)
            try:
                return await self._once(request)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                hold_until = hold_until or loop.time() + limits.REFUSED_HOLD_SECONDS
                hold.reschedule(hold_until)
                self._readiness.suspect()
                await backoff.pause(error)  # the probes may be of another port, and pass at once
                await self._readiness.wait()

    async def _once(self, request: Request) -> Verdict:
        if request.is_cancelled:
            return Verdict(outcome.on_cancelled())
        payload = await self._payload(request)
        if isinstance(payload, Verdict):
            return payload
        try:
            asked = request.message.policy.timeout_seconds or self._timeout_seconds
            async with asyncio.timeout(min(asked, self._timeout_seconds)) as timeout:
                timer = request.timeout = ContainerTimeout(timeout)
                request.posted_at = asyncio.get_running_loop().time()
                if not isinstance(payload, bytes):
                    payload = timer.while_fetching(payload)
                async with self._container.post(request.message, payload) as response:
                    return await self._take(request, response, timer)
        except aiohttp.ConnectionTimeoutError:  # a TimeoutError too
            raise
        except TimeoutError:
            if request.is_cancelled:
                await self._container.cancel(request.id)
                return Verdict(outcome.on_cancelled())
            return Verdict(outcome.on_no_answer(NoAnswer.TIMEOUT, self.attempts(request)))

    async def _payload(self, request: Request) -> bytes | AsyncIterator[bytes] | Verdict:
        """The payload, or its pieces from S3, the first of which is fetched before a connection is made."""
        message = request.message
        if message.payload is not None:
            return message.payload
        if message.reference is not None:
            return await self._referenced(request, message.reference)
        if message.size == 0:  # only its headers were too large for the message
            return b""
        try:
            return await _begun(self._store.payload(message.stored_under, message.size))
        except ObjectMissing:
            return Verdict(outcome.on_missing_payload())
        except ObjectDamaged:
            return Verdict(outcome.on_damaged_payload())

    async def _referenced(
        self, request: Request, reference: PayloadReference
    ) -> bytes | AsyncIterator[bytes] | Verdict:
        """As `_payload`, of an object that the client named; whoever wrote the message, only an allowed one."""
        if not reference.is_within(self._references):
            return Verdict(outcome.on_forbidden_reference())
        try:
            return await _begun(self._store.referenced(reference, request.message.size))
        except ObjectMissing:
            return Verdict(outcome.on_missing_reference())
        except ObjectDamaged:
            return Verdict(outcome.on_changed_reference())
        except AwsRefused as error:
            log.warning("a payload cannot be read", extra={"id": request.id, "reason": str(error)})
            return Verdict(outcome.on_unreadable_reference(self.attempts(request), error.status))

    async def _take(self, request: Request, response: aiohttp.ClientResponse, timer: ContainerTimeout) -> Verdict:
        """Decide about a response, and store its body when it is a result."""
        request.status = response.status
        decision = outcome.on_response(
            response.status,
            response.headers.get("Content-Type", ""),
            response.headers.get("Retry-After"),
            self.attempts(request),
            self._retry_on,
            self._result_types,
        )
        if decision.action is not Action.COMPLETE:
            return Verdict(decision, response.status, await excerpt(response))
        try:
            await self._store_body(request, response, timer, decision.content_type)
        except InvalidJson as error:
            return Verdict(outcome.on_invalid_json(str(error)), response.status)
        except ObjectTooLarge as error:
            return Verdict(outcome.on_too_large_result(str(error)), response.status)
        except UploadLost as error:
            log.warning("an upload of a result was lost", extra={"id": request.id, "reason": str(error)})
            return Verdict(outcome.on_no_answer(NoAnswer.LOST, self.attempts(request)))
        return Verdict(decision)

    async def _store_body(
        self, request: Request, response: aiohttp.ClientResponse, timer: ContainerTimeout, content_type: str
    ) -> None:
        body: bytes | AsyncIterator[bytes]
        if is_small(response):
            body = await (response.read() if content_type else read_json(response))
            self._container_is_done(request, timer)
            if len(self._in_flight) > 1:  # what follows goes first
                await asyncio.sleep(limits.NEXT_FIRST_SECONDS)
        else:
            pieces = decoded(response) if content_type else json_pieces(response)
            body = self._until_read(request, timer, timer.while_storing(pieces))
        await store_result(self._store, request, body, Status.COMPLETED, content_type=content_type)

    async def _until_read(
        self, request: Request, timer: ContainerTimeout, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece
        self._container_is_done(request, timer)

    def _container_is_done(self, request: Request, timer: ContainerTimeout) -> None:
        timer.stop()
        self._in_flight.free_slot(request)


async def _begun(pieces: AsyncIterator[bytes]) -> bytes | AsyncIterator[bytes]:
    """The pieces, once the first has come; an empty payload at once."""
    first = await anext(pieces, b"")
    return _prepended(first, pieces) if first else b""


async def _prepended(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece
