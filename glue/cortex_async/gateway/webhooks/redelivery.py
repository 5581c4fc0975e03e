"""`POST <endpoint>/<id>/webhook`: the webhook of a request that has ended is sent once more."""

import time

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiConfig, DeliveryConfig, WebhooksConfig
from cortex_async.errors import AwsUnavailable
from cortex_async.gateway.errors import ID, Rejected
from cortex_async.gateway.webhooks.document import webhook_id
from cortex_async.queue.event import END, Event
from cortex_async.queue.protocol import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Store


class Redelivery:
    """Queues events anew; `queue` is None until it has been found."""

    def __init__(
        self, config: ApiConfig, events: WebhooksConfig, delivery: DeliveryConfig, ids: RequestIds, store: Store
    ) -> None:
        self._events = events.events
        self._url = delivery.url
        self._ids = ids
        self._store = store
        self._retention_seconds = config.storage.retention_days * limits.SECONDS_A_DAY
        self.queue: Queue | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """Respond with 202 when the webhook is on its way.

        Raises Rejected: 404 for an id that is not of this API or too old, 409 when there is nothing to tell, or
        nobody to tell it to.
        """
        request_id = request.match_info["id"]
        if self._ids.issued_at(request_id) is None:
            raise Rejected(404, "unknown_id", f"{request_id!r} is no id of this API")
        request[ID] = request_id
        if not self._ids.is_current(request_id, self._retention_seconds):
            raise Rejected(404, "expired", "the request is older than results are kept")
        if self.queue is None:
            raise AwsUnavailable("GetQueueUrl", "the queue of the webhooks has not been found yet")
        metadata = await self._store.metadata(request_id)
        if metadata is None:
            raise Rejected(409, "not_ended", "the request has not ended, or there was none")
        kind = metadata.status.value
        if kind not in self._events:
            raise Rejected(409, "no_webhook", f"{kind} is none of webhooks.events")
        url = metadata.callback_url or await self._store.callback(request_id)
        if url is None and self._url is None:
            raise Rejected(409, "no_webhook", "the request named no URL, and there is no webhooks.url")
        await self.queue.send(request_id, Event(request_id, END, time.time(), url).encode())
        told = {"id": request_id, "webhook_id": webhook_id(request_id, kind), "type": kind}
        return web.json_response(told, status=202)
