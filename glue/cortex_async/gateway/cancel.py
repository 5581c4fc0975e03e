"""`DELETE <endpoint>/<id>`: a request that has not ended is cancelled.

The result is written, once, with the status `cancelled`: whatever the container still answers is dropped.
Dispatchers learn of it from one object of the API, which tells of the last cancellation
(dispatcher/cancellations.py).
"""

import asyncio
import json
import time

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.errors import ObjectExists
from cortex_async.gateway.errors import ID, Rejected
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Cancellation, Status, Store


class Cancelling:
    """Cancels requests of one API."""

    def __init__(self, config: ApiConfig, ids: RequestIds, store: Store) -> None:
        self._ids = ids
        self._store = store
        self._retention_seconds = config.storage.retention_days * limits.SECONDS_A_DAY

    async def cancel(self, request: web.Request) -> web.Response:
        """Respond with 202 when the request is cancelled, be it by an earlier call.

        Raises Rejected: 404 for an id that is not of this API or too old, 409 for a request that has ended.
        """
        request_id = request.match_info["id"]
        issued_at = self._ids.issued_at(request_id)
        if issued_at is None:
            raise Rejected(404, "unknown_id", f"{request_id!r} is no id of this API")
        request[ID] = request_id
        if not self._ids.is_current(request_id, self._retention_seconds):
            raise Rejected(404, "expired", "the request is older than results are kept")
        await self._store_once(request_id)
        await self._store.mark_cancellation(Cancellation(request_id, time.time()))
        # A dispatcher that looked just before, or saw no need to, lets the request begin within TURN_SECONDS.
        unseen_seconds = limits.CANCEL_UNSEEN_SECONDS - max(0, time.time() - issued_at)
        await asyncio.sleep(max(0, unseen_seconds) + limits.CANCEL_SETTLE_SECONDS)
        return web.json_response({"id": request_id, "status": Status.CANCELLED.value}, status=202)

    async def _store_once(self, request_id: str) -> None:
        progress = await self._store.progress(request_id)
        attempts = progress.attempt if progress else 0
        error = {"code": "cancelled", "message": "the request was cancelled by a client", "attempts": attempts}
        try:
            await self._store.put_result(request_id, json.dumps(error).encode(), Status.CANCELLED, attempts)
        except ObjectExists:
            found = await self._store.metadata(request_id)
            if found is not None and found.status is not Status.CANCELLED:
                message = f"the request has ended: it is {found.status.value}"
                raise Rejected(409, "ended", message) from None
