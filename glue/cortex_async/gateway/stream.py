"""`GET <endpoint>/<id>?stream=1`: status and progress as server-sent events (HTML Standard, section 9.2)."""

import asyncio
import json
import logging
from typing import Any

from aiohttp import web

from cortex_async import limits
from cortex_async.errors import AwsError
from cortex_async.gateway.result import Results
from cortex_async.gateway.wait import Waiters
from cortex_async.http.headers import REQUEST_ID

log = logging.getLogger(__name__)


class StatusStream:
    """One client that follows one request: an event `status` whenever that has changed, without the result."""

    def __init__(self, request: web.Request, request_id: str, results: Results) -> None:
        self._request = request
        self._id = request_id
        self._results = results
        self._told: dict[str, Any] = {}
        self._written_at = 0.0
        self._response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would gather events
                REQUEST_ID: request_id,
            }
        )

    async def run(self, waiters: Waiters) -> web.StreamResponse:
        """Stream until the request ends, or nobody is to wait any more; raises Rejected, and AwsError at first."""
        document, has_ended = await self._results.status(self._id)
        await self._response.prepare(self._request)
        await self._tell(document)
        if not has_ended:
            await waiters.wait(self._request, limits.STREAM_MOST_SECONDS, self._look)
        return self._response

    async def _look(self) -> bool:
        try:
            document, has_ended = await self._results.status(self._id)
        except AwsError as error:  # it may be back at the next look
            log.info("a status cannot be told", extra={"id": self._id, "reason": str(error)})
            return False
        await self._tell(document)
        return has_ended

    async def _tell(self, document: dict[str, Any]) -> None:
        now = asyncio.get_running_loop().time()
        if document != self._told:
            self._told = document
            await self._response.write(f"event: status\ndata: {json.dumps(document)}\n\n".encode())
        elif now - self._written_at >= limits.STREAM_COMMENT_SECONDS:
            await self._response.write(b": nothing new\n\n")
        else:
            return
        self._written_at = now
