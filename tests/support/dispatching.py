"""The parts of a dispatcher, set up around a queue and a store in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from cortex_async.config import ApiConfig, parse
from cortex_async.dispatcher.attempt import AttemptRunner
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.in_flight import InFlight, Request
from cortex_async.dispatcher.pace import Pace
from cortex_async.dispatcher.processor import Processor
from cortex_async.dispatcher.progress_marker import ProgressMarker
from cortex_async.dispatcher.readiness import Readiness
from cortex_async.dispatcher.receiver import Receiver
from cortex_async.queue.message import Message
from cortex_async.queue.protocol import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Store
from support.api_document import api_document

CONFIG: ApiConfig = parse(api_document())
SLOTS = 40
RECEIVE_SECONDS = 20


def message(payload: bytes | None = b"", size: int | None = None) -> Message:
    """A message of this API; without a payload it is one whose payload of `size` bytes is in the bucket."""
    request_id = RequestIds(CONFIG.cluster_name, CONFIG.name).issue()
    return Message(request_id, (), "", payload, len(payload or b"") if size is None else size)


def in_flight(queue: Queue, visibility_seconds: int = 60) -> InFlight:
    """No request yet, and 40 slots."""
    return InFlight(queue, visibility_seconds, SLOTS, _pace())


def receiver(queue: Queue, requests: InFlight, readiness: Readiness) -> Receiver:
    """With long polls of 20 s."""
    return Receiver(queue, requests, readiness, _pace())


def _pace() -> Pace:
    return Pace(SLOTS, RECEIVE_SECONDS)


def taken(requests: InFlight, store: Store, of: Message | None = None, receive_count: int = 1) -> Request:
    """A request that has just been received, with the receipt handle "receipt"."""
    which = of or message()
    request = Request(which, receive_count, {"message": "receipt"}, ProgressMarker(store, which.id))
    requests.add(request)
    return request


def attempts(
    store: Store, container: Container, requests: InFlight, readiness: Readiness | None = None
) -> AttemptRunner:
    """What makes attempts."""
    return AttemptRunner(CONFIG, store, container, readiness or Switch(), requests)


def processor(store: Store, requests: InFlight, container: Container, dead_letters: Queue) -> Processor:
    """What processes requests."""
    return Processor(store, requests, dead_letters, attempts(store, container, requests))


class Switch(Readiness):
    """A readiness that a test switches, in the place of probes."""

    def __init__(self, *, ready: bool = True) -> None:
        self._probes = ()
        self._failing = set()
        self._ready = asyncio.Event()
        self._suspected = asyncio.Event()
        self.switch(ready=ready)

    def switch(self, *, ready: bool) -> None:
        """Let all probes pass, or fail."""
        (self._ready.set if ready else self._ready.clear)()


class Unanswering(Container):
    """A container of which no response comes: `posted` happens at every request, and raises or never returns."""

    def __init__(self, posted: Callable[[], Awaitable[None]]) -> None:
        self._posted = posted
        self.posts = 0

    @asynccontextmanager
    async def post(
        self, message: Message, payload: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """See `Container`."""
        self.posts += 1
        await self._posted()
        raise AssertionError("it has answered")
        yield


def breaking(after_seconds: float = 0) -> Unanswering:
    """A container that breaks the connection so long after the request came."""

    async def posted() -> None:
        await asyncio.sleep(after_seconds)
        raise aiohttp.ServerDisconnectedError

    return Unanswering(posted)


def refusing() -> Unanswering:
    """A container to which no connection can be made."""

    async def posted() -> None:
        raise aiohttp.ConnectionTimeoutError

    return Unanswering(posted)
