"""One attempt: the request into the container, and what came back."""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp

from cortex_async.aws.retry import delay_seconds
from cortex_async.aws.s3 import ObjectTooLarge, UploadLost
from cortex_async.aws.sqs import MAX_VISIBILITY_SECONDS
from cortex_async.config import ApiConfig
from cortex_async.dispatcher import outcome
from cortex_async.dispatcher.clock import Clock, fetched_off_the_clock, used_off_the_clock
from cortex_async.dispatcher.hand import Held
from cortex_async.dispatcher.json_validator import InvalidJson, JsonValidator, check
from cortex_async.dispatcher.outcome import Action, Attempts, Decision, NoAnswer
from cortex_async.dispatcher.persistence import keep_trying
from cortex_async.dispatcher.probes import Readiness
from cortex_async.dispatcher.target import InvalidResponse, Target
from cortex_async.errors import ObjectExists, ObjectMissing
from cortex_async.storage.store import Ending, Status, Store

log = logging.getLogger(__name__)

_HOLD_WHILE_REFUSED_SECONDS = 30.0  # a container that restarts comes back without costing an attempt
_CHECKED_AT_ONCE = 65_536  # bytes; a larger response, or one of unknown size, is checked as it comes
_LAST_CALL_SECONDS = 60  # left of the 12 hours that SQS keeps a message hidden at the most


@dataclass(frozen=True, slots=True)
class Reply:
    """What an attempt led to: `result` when there is one to store, None when it is stored already."""

    decision: Decision
    result: bytes | None = None
    status_code: int | None = None
    body: str | None = None


class Exchange:
    """Brings requests to the web server, one attempt each.

    `on_answered` is called when a response that is stored as it comes has been read: the rest is not the web
    server's.
    """

    def __init__(
        self,
        config: ApiConfig,
        store: Store,
        target: Target,
        readiness: Readiness,
        on_answered: Callable[[Held], None],
    ) -> None:
        self._config = config
        self._store = store
        self._target = target
        self._readiness = readiness
        self._on_answered = on_answered
        longest = MAX_VISIBILITY_SECONDS - _LAST_CALL_SECONDS
        self._timeout_seconds = min(config.pod.request_timeout_seconds or longest, longest)

    def attempts(self, held: Held) -> Attempts:
        """Where the request stands."""
        return Attempts(held.attempt, self._config.queue.max_attempts)

    async def run(self, held: Held) -> Reply:
        """Make one attempt; while connections are refused, wait for the container to be ready again."""
        hold_until = None
        refusals = 0
        while True:
            try:
                return await self._once(held)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):  # nothing was sent
                now = time.monotonic()
                hold_until = hold_until or now + _HOLD_WHILE_REFUSED_SECONDS
                self._readiness.suspect()
                await asyncio.sleep(delay_seconds(refusals))  # the probes may be of another port, and pass at once
                refusals += 1
                try:
                    await asyncio.wait_for(self._readiness.wait(), max(0, hold_until - now))
                except TimeoutError:
                    return Reply(outcome.on_no_answer(NoAnswer.REFUSED, self.attempts(held)))
            except InvalidResponse as error:
                log.warning("a response cannot be read", extra={"id": held.message.id, "reason": str(error)})
                return Reply(outcome.on_invalid_response(str(error)), None, error.status)
            except (aiohttp.ClientError, OSError) as error:  # its text may quote the response, or the query
                facts = {"id": held.message.id, "reason": type(error).__name__}
                log.warning("the connection to the container broke", extra=facts)
                return Reply(outcome.on_no_answer(NoAnswer.BROKEN, self.attempts(held)))

    async def _once(self, held: Held) -> Reply:
        try:
            payload = await self._payload(held)
        except ObjectMissing:
            return Reply(outcome.on_missing_payload())
        try:
            async with asyncio.timeout(self._timeout_seconds) as timeout:
                clock = Clock(timeout)
                if not isinstance(payload, bytes):
                    payload = fetched_off_the_clock(payload, clock)
                async with self._target.post(held.message, payload) as response:
                    return await self._read(held, response, clock)
        except aiohttp.ConnectionTimeoutError:  # a TimeoutError too
            raise
        except TimeoutError:
            return Reply(outcome.on_no_answer(NoAnswer.TIMEOUT, self.attempts(held)))

    async def _payload(self, held: Held) -> bytes | AsyncIterator[bytes]:
        """The payload itself, or its pieces from the bucket; the first is fetched before a connection is made."""
        message = held.message
        if message.payload is not None:
            return message.payload
        if message.size == 0:  # only its headers were too large for the message
            return b""

        pieces = self._store.payload(message.id, message.size, None, keep_trying)
        return _chain(await anext(pieces), pieces)

    async def _read(self, held: Held, response: aiohttp.ClientResponse, clock: Clock) -> Reply:
        decision = outcome.on_response(
            response.status,
            response.headers.get("Content-Type", ""),
            response.headers.get("Retry-After"),
            self.attempts(held),
            self._config.queue.retry_on,
        )
        if decision.action is not Action.COMPLETE:
            return Reply(decision, None, response.status, await _excerpt(response))
        try:
            if _is_small(response):
                result = await response.read()
                check(result)
                return Reply(decision, result)
            await self._store_as_it_comes(held, response, clock)
        except InvalidJson as error:
            return Reply(outcome.on_invalid_json(str(error)), None, response.status)
        except ObjectTooLarge as error:
            return Reply(outcome.on_too_large_result(str(error)), None, response.status)
        except UploadLost as error:
            log.warning("an upload of a result was lost", extra={"id": held.message.id, "reason": str(error)})
            return Reply(outcome.on_no_answer(NoAnswer.LOST, self.attempts(held)))
        except ObjectExists:
            pass
        return Reply(decision)

    async def _store_as_it_comes(self, held: Held, response: aiohttp.ClientResponse, clock: Clock) -> None:
        valid = _validated(response.content.iter_chunked(_CHECKED_AT_ONCE))
        pieces = used_off_the_clock(_then(valid, functools.partial(self._on_answered, held)), clock)
        ending = functools.partial(Ending.now, Status.COMPLETED, held.attempt)
        await self._store.put_large_result(held.message.id, pieces, ending, keep_trying)


def _is_small(response: aiohttp.ClientResponse) -> bool:
    size = response.content_length
    return size is not None and size <= _CHECKED_AT_ONCE and "Content-Encoding" not in response.headers


async def _validated(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the pieces on; raises InvalidJson at the latest where they end."""
    validator = JsonValidator()
    async for piece in pieces:
        validator.feed(piece)
        yield piece
    validator.close()


async def _then(pieces: AsyncIterator[bytes], do: Callable[[], None]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece
    do()


async def _chain(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """The first 4 KiB of a response that is not stored as a result, or what came of them: its head has decided."""
    excerpt = bytearray()
    with suppress(aiohttp.ClientError, OSError):
        async for piece in response.content.iter_any():
            excerpt += piece
            if len(excerpt) >= outcome.LONGEST_BODY_EXCERPT:
                response.close()
                break
    return bytes(excerpt[: outcome.LONGEST_BODY_EXCERPT]).decode("utf-8", "replace")
