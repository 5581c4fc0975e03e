"""Sends the webhooks: takes events from their queue, and puts those back whose receiver did not take them.

The gateway does it, and not the dispatcher, since it always runs: at zero replicas of the API webhooks are still
tried. What is tried again waits in the queue, hidden, so that no restart loses it.
"""

import asyncio
import logging
import random
import time
from contextlib import suppress

import aiohttp

from cortex_async import limits
from cortex_async.backoff import Backoff
from cortex_async.config import DeliveryConfig
from cortex_async.errors import AwsError
from cortex_async.gateway.webhooks.document import Documents, webhook_id
from cortex_async.gateway.webhooks.metrics import WebhookMetrics
from cortex_async.gateway.webhooks.receivers import Receivers, parsed
from cortex_async.gateway.webhooks.schedule import Answer, Result, after
from cortex_async.gateway.webhooks.signing import Signer
from cortex_async.queue.event import Event, decode
from cortex_async.queue.message import NotOurs
from cortex_async.queue.protocol import Queue, Received
from cortex_async.request_id import RequestIds
from cortex_async.storage.memory_budget import NoMemory
from cortex_async.storage.protocol import DamagedResult

log = logging.getLogger(__name__)


class Sender:
    """Posts to receivers, each over a connection of its own."""

    def __init__(self, receivers: Receivers) -> None:
        connector = aiohttp.TCPConnector(
            limit=0, force_close=True, use_dns_cache=False, socket_factory=receivers.socket_for
        )
        self._http = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=limits.WEBHOOK_SECONDS),
            headers={"Content-Type": "application/json", "User-Agent": "cortex-async"},
        )

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Post once; no redirect is followed, and the body of the response is not read."""
        try:
            async with self._http.post(parsed(url), data=body, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, retry_after=response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer(None, f"no answer within {limits.WEBHOOK_SECONDS:g} s")
        except aiohttp.ClientConnectorError as error:
            return Answer(None, str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # its text may quote the URL, or the response
            return Answer(None, type(error).__name__)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()


class Deliveries:
    """Sends the webhooks of one API, a bounded number at once."""

    def __init__(
        self,
        config: DeliveryConfig,
        ids: RequestIds,
        documents: Documents,
        signer: Signer,
        sender: Sender,
        metrics: WebhookMetrics,
    ) -> None:
        self._url = config.url
        self._receivers = Receivers(config)
        self._ids = ids
        self._documents = documents
        self._signer = signer
        self._sender = sender
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """Take no more from the queue: `run` ends when what is in hand is sent or given back."""
        self._is_stopping = True

    async def run(self, queue: Queue) -> None:
        """Send what is on the queue until `stop`."""
        backoff = Backoff()
        while not self._is_stopping:
            free = limits.WEBHOOKS_AT_ONCE - len(self._tasks)
            if free == 0:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                count = min(free, limits.SQS_BATCH_ENTRIES)
                messages = await queue.receive(count, limits.WEBHOOK_POLL_SECONDS)
            except AwsError as error:
                log.warning("no events can be received", extra={"reason": str(error)})
                await backoff.pause(error)
                continue
            backoff = Backoff()
            for received in messages:
                task = asyncio.create_task(self._process(queue, received))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
        queue.flush()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:  # a defect of ours
            log.error("a webhook was dropped by an error; its event comes back", exc_info=error)

    async def _process(self, queue: Queue, received: Received) -> None:
        """Bring one event on, or put it back; what the queue does not take comes back by itself."""
        self._metrics.is_tried(received.message_id)
        with suppress(AwsError):
            if self._is_stopping:
                await queue.release(received.receipt_handle, 0)
                return
            try:
                event = decode(received.body)
                if self._ids.issued_at(event.request_id) is None:
                    raise NotOurs("its id was not issued for this API; do two APIs share one queue?")
            except NotOurs as error:
                log.error("an event that is not ours is put aside", extra={"reason": str(error)})
                await queue.release(received.receipt_handle, limits.WEBHOOK_ASIDE_SECONDS)
                return
            pause = await self._pause_after_try(event, received)
            if pause:
                self._metrics.waits(received.message_id, event.at, pause)
                await queue.release(received.receipt_handle, pause)
            else:
                await queue.delete(received.receipt_handle)

    async def _pause_after_try(self, event: Event, received: Received) -> int:
        """Try once, and return after how many seconds to try again; 0: never."""
        facts = {"id": event.request_id, "event": event.kind}
        try:
            with self._documents.memory() as memory:
                found = await self._documents.of(event, memory)
                if found is None:
                    return 0
                answer = await self._sent(event, *found)
        except DamagedResult as error:
            log.error("a webhook cannot be sent", extra={**facts, "reason": str(error)})
            self._metrics.ended(Result.GIVEN_UP)
            return 0
        except (AwsError, NoMemory) as error:
            log.warning("a webhook cannot be sent yet", extra={**facts, "reason": str(error)})
            return limits.WEBHOOK_AGAIN_SECONDS
        age = time.time() - event.at
        result, pause = after(answer, received.receive_count, age, random.random())
        self._metrics.ended(result)
        told = {**facts, "result": result.value, "answer": answer.text, "tries": received.receive_count}
        if result is Result.RETRIED:
            told["seconds"] = pause
        log.log(logging.INFO if result is Result.DELIVERED else logging.WARNING, "webhook", extra=told)
        return pause

    async def _sent(self, event: Event, kind: str, body: bytes) -> Answer:
        url = event.url or self._url
        if url is None:
            return Answer(None, "there is no webhooks.url any more")
        if problem := self._receivers.problem(url):
            return Answer(None, problem)
        headers = self._signer.headers(webhook_id(event.request_id, kind), int(time.time()), body)
        if headers is None:
            return Answer(None, "the Secret webhooks.secretName holds no secret that can be used")
        return await self._sender.post(url, headers, body)
