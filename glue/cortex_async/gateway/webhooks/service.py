"""The part of a gateway that sends webhooks, from its start to its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.gateway.result import Results
from cortex_async.gateway.webhooks.delivery import Deliveries, Sender
from cortex_async.gateway.webhooks.document import Documents
from cortex_async.gateway.webhooks.metrics import WebhookMetrics
from cortex_async.gateway.webhooks.receivers import Receivers
from cortex_async.gateway.webhooks.redelivery import Redelivery
from cortex_async.gateway.webhooks.signing import Signer
from cortex_async.queue.protocol import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import Store


@asynccontextmanager
async def sending(
    api: ApiConfig,
    open_queue: Callable[[], Awaitable[Queue]],
    store: Store,
    budget: MemoryBudget,
    redelivery: Redelivery | None,
    metrics: WebhookMetrics,
) -> AsyncIterator[Deliveries | None]:
    """Send webhooks meanwhile, where the API has any; at the end what is in hand is sent or given back."""
    if redelivery is None or api.webhooks is None or api.gateway.webhooks is None:
        yield None
        return
    delivery = api.gateway.webhooks
    ids = RequestIds(api.cluster_name, api.name)
    documents = Documents(api, api.webhooks, Results(api, ids, store, budget), store, budget)
    sender = Sender(Receivers(delivery))
    signer = Signer(delivery.folder, time.monotonic)
    deliveries = Deliveries(delivery, ids, documents, signer, sender, metrics)

    async def run() -> None:
        redelivery.queue = queue = await open_queue()
        await deliveries.run(queue)

    running = asyncio.create_task(run())
    try:
        yield deliveries
    finally:
        deliveries.stop()
        if redelivery.queue is not None:
            await asyncio.wait({running}, timeout=limits.WEBHOOK_STOP_SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sender.close()
