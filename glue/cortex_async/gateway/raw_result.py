"""`GET <endpoint>/<id>/result`: the bytes of a result as the container gave them, whole or in part (RFC 9110)."""

import logging

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsError
from cortex_async.gateway.errors import ID, Rejected
from cortex_async.gateway.result import Results
from cortex_async.http.headers import REQUEST_ID
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import ResultMetadata, Status, Store
from cortex_async.storage.request_memory import AnswerMemory

log = logging.getLogger(__name__)


class RawResults:
    """Answers with results of one API; each answer costs a HEAD and a GET."""

    def __init__(self, config: ApiConfig, results: Results, store: Store, budget: MemoryBudget) -> None:
        most = config.gateway.redirect_over_mib
        self._redirect_over = None if most is None else most * limits.MIB
        self._results = results
        self._store = store
        self._budget = budget

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Respond with 200, 206, 304 or 307; raises Rejected: 404 without a result, 416 without such bytes."""
        request_id = request.match_info["id"]
        self._results.check(request_id)
        request[ID] = request_id
        metadata = await self._store.metadata(request_id)
        if metadata is None or metadata.status is not Status.COMPLETED:
            about, _ = await self._results.status(request_id)
            raise Rejected(404, "no_result", f"there is no result: the request is {about['status']}")
        headers = {
            REQUEST_ID: request_id,
            "ETag": metadata.etag,
            "Accept-Ranges": "bytes",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",  # a result is no page of this origin
        }
        if metadata.etag in _tags(request, "If-None-Match"):
            return web.Response(status=304, headers=headers)
        if self._redirect_over is not None and metadata.size > self._redirect_over:
            url = await self._store.result_url(request_id)
            return web.Response(status=307, headers={REQUEST_ID: request_id, "Location": url})
        start, stop = _asked(request, metadata)
        headers["Content-Type"] = metadata.content_type or "application/json"
        is_part = stop - start < metadata.size
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{metadata.size}"
        response = web.StreamResponse(status=206 if is_part else 200, headers=headers)
        response.content_length = stop - start
        with AnswerMemory(self._budget) as memory:
            await memory.wait_for(limits.SENDING_BYTES)
            return await self._pass_on(request, response, start, stop)

    async def _pass_on(
        self, request: web.Request, response: web.StreamResponse, start: int, stop: int
    ) -> web.StreamResponse:
        await response.prepare(request)
        if start == stop:
            return response
        try:
            async for piece in self._store.result(request[ID], start, stop):
                await response.write(piece)
        except AwsError as error:
            # The answer has begun, so that only its cut end can tell the client that it is not whole.
            log.warning("a result was cut short", extra={"id": request[ID], "reason": str(error)})
            if request.transport is not None:
                request.transport.abort()
        return response


def _asked(request: web.Request, metadata: ResultMetadata) -> tuple[int, int]:
    """Return the first byte that is asked for, and the one behind the last; raises Rejected (416)."""
    whole = 0, metadata.size
    if "Range" not in request.headers or request.headers.get("If-Range", metadata.etag) != metadata.etag:
        return whole
    try:
        asked = request.http_range
    except ValueError:  # several ranges, or another unit: both may be answered whole (section 14.2)
        return whole
    start, stop, _ = asked.indices(metadata.size)
    if start >= stop:
        message = f"the result has {metadata.size} bytes"
        raise Rejected(416, "no_such_range", message, {"Content-Range": f"bytes */{metadata.size}"})
    return start, stop


def _tags(request: web.Request, name: str) -> set[str]:
    """The entity tags in a header, weak ones like strong ones."""
    return {tag.strip().removeprefix("W/") for tag in request.headers.get(name, "").split(",")}
