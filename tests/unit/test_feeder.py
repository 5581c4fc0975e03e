"""Shutdown of the dispatcher while S3 does not answer."""

import asyncio
from typing import Any, cast

import aiohttp

from cortex_async.aws.sqs import Received
from cortex_async.config import parse
from cortex_async.dispatcher.feeder import Feeder
from cortex_async.dispatcher.probes import Readiness
from cortex_async.dispatcher.target import Target
from cortex_async.queue.message import Message
from cortex_async.queue.queue import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.store import Store
from support.api_document import api_document

CONFIG = parse(api_document())


class OneMessage:
    """A queue that holds one message, received once before."""

    def __init__(self) -> None:
        message = Message(RequestIds(CONFIG.cluster_name, CONFIG.name).issue(), (), "", b"", 0)
        self._messages = [Received("message", "receipt", message.encode(), 2)]
        self.released = 0

    async def receive(self, count: int, wait_seconds: int) -> list[Received]:
        if not self._messages:
            await asyncio.Event().wait()
        return [self._messages.pop()]

    async def release(self, handle: str, delay_seconds: int, patience: float | None) -> None:
        self.released += 1


class SilentStore:
    """Never answers, not even when told to stop, as an upload that is being aborted."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def has_result(self, request_id: str, patience: float | None) -> Any:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()


async def test_releases_in_time_what_waits_for_storage_though_it_was_told_to_stop() -> None:
    queue, store = OneMessage(), SilentStore()
    readiness = Readiness((), cast(aiohttp.ClientSession, None))
    readiness._ready.set()
    feeder = Feeder(
        CONFIG, cast(Queue, queue), cast(Queue, None), cast(Store, store), cast(Target, None), readiness
    )
    feeding = asyncio.create_task(feeder.run())
    await store.asked.wait()
    feeding.cancel()
    async with asyncio.timeout(15):
        await feeder.drain(4)
    assert queue.released == 1
