"""`GET <endpoint>`: the requests of which the bucket holds something, for people and dashboards.

A request that waits with a small payload, or runs for less than 5 s, is in the queue alone, and not in the list.
It costs a LIST for about 500 requests, and a HEAD for each that has ended, since its metadata tells how.
"""

import asyncio
import re
from typing import Any

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.gateway.errors import Rejected
from cortex_async.gateway.result import Results
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import DamagedResult, Status, Store, Stored

_POSITION = re.compile("[0-9a-f]{2}/[0-9a-z-]{1,64}")


class Listing:
    """Lists the requests of one API, in an order of the bucket's own."""

    def __init__(self, config: ApiConfig, ids: RequestIds, results: Results, store: Store) -> None:
        self._ids = ids
        self._results = results
        self._store = store
        self._retention_seconds = config.storage.retention_days * limits.SECONDS_A_DAY

    async def answer(self, request: web.Request) -> web.Response:
        """Respond with a page, and the cursor of the next while there may be one; raises Rejected (400)."""
        query = request.rel_url.query
        status, limit, after = _status(query.get("status")), _limit(query.get("limit")), query.get("cursor", "")
        if after and not _POSITION.fullmatch(after):
            raise Rejected(400, "invalid_list", "the cursor must be one that a list was answered with")
        found: list[dict[str, Any]] = []
        looks = 0
        has_more = True
        while has_more and looks < limits.LIST_LOOKS:
            page, has_more = await self._store.requests_after(after)
            for start in range(0, len(page), limits.LIST_LOOKS_AT_ONCE):
                chunk = page[start : start + limits.LIST_LOOKS_AT_ONCE]
                looks += len(chunk)
                documents = await asyncio.gather(*[self._look(each, status) for each in chunk])
                for each, document in zip(chunk, documents, strict=True):
                    after = each.position
                    if document is not None:
                        found.append(document)
                    if len(found) == limit:
                        return web.json_response({"requests": found, "cursor": after})
        return web.json_response({"requests": found, "cursor": after if has_more else None})

    async def _look(self, stored: Stored, wanted: Status | None) -> dict[str, Any] | None:
        """Return the status of a request; None if it is not one that is wanted."""
        if not self._ids.is_current(stored.request_id, self._retention_seconds):
            return None
        is_open = "result" not in stored.names
        if wanted is not None and is_open != (wanted in (Status.IN_QUEUE, Status.IN_PROGRESS)):
            return None
        try:
            document, _ = await self._results.status(stored.request_id)
        except (Rejected, DamagedResult):  # it has gone since, or cannot be told
            return None
        return document if wanted is None or document["status"] == wanted else None


def _status(text: str | None) -> Status | None:
    try:
        return None if text is None else Status(text)
    except ValueError as error:
        known = ", ".join(Status)
        raise Rejected(400, "invalid_list", f"status must be one of {known}") from error


def _limit(text: str | None) -> int:
    if text is None:
        return limits.LIST_LIMIT
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0
    if not 1 <= number <= limits.LIST_MOST:
        raise Rejected(400, "invalid_list", f"limit must be a number from 1 to {limits.LIST_MOST}")
    return number
