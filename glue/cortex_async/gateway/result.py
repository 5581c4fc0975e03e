"""What a client learns of a request: where to ask, its status, its result. All follows from id and bucket."""

import functools
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from aiohttp import web

from cortex_async import limits, logs
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsError
from cortex_async.gateway.errors import ID, Rejected
from cortex_async.http.headers import REQUEST_ID
from cortex_async.request_id import RequestIds
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import ResultMetadata, Status, Store
from cortex_async.storage.request_memory import AnswerMemory

log = logging.getLogger(__name__)

_JSON = "application/json"
_SCHEMES = ("http", "https")
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Results:
    """Answers for the requests of one API."""

    def __init__(self, config: ApiConfig, ids: RequestIds, store: Store, budget: MemoryBudget) -> None:
        self._budget = budget
        self._ids = ids
        self._store = store
        self._retention_seconds = config.storage.retention_days * limits.SECONDS_A_DAY

    async def answer(
        self, request: web.Request, request_id: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> web.StreamResponse:
        """Respond with the status, and the result or the error of a request that has ended; `headers` go with it.

        Raises Rejected (404) for an id that is not of this API or too old, AwsRefused and AwsUnavailable.
        """
        about = self.about(request_id)
        request[ID] = request_id
        with AnswerMemory(self._budget) as memory:
            await memory.wait_for(limits.POLL_BYTES)
            found = await self._store.open_result(request_id)
            if found is not None and not memory.grow(_held_while_sent(found[1])):
                await closed(found[2])  # it would hold memory while it waits for some
                await memory.wait_for(_held_while_sent(found[1]))
                found = await self._store.open_result(request_id)
            if found is not None:
                return await self._pass_on(request, about, headers, *found)
        return web.json_response(about | await self._open_status(request_id))

    async def status(self, request_id: str) -> tuple[dict[str, Any], bool]:
        """Return the status without result or error, and whether that is the end; raises as `answer` does."""
        about = self.about(request_id)
        metadata = await self._store.metadata(request_id)
        if metadata is None:
            return about | await self._open_status(request_id), False
        return about | ended(metadata), True

    def check(self, request_id: str) -> None:
        """Raise Rejected (404) for what is no id of this API."""
        self.about(request_id)

    def about(self, request_id: str) -> dict[str, Any]:
        """Return what the id alone tells; raises Rejected (404) for what is no id of this API."""
        issued_at = self._ids.issued_at(request_id)
        if issued_at is None:
            raise Rejected(404, "unknown_id", f"{request_id!r} is no id of this API")
        return {"id": request_id, "status": Status.IN_QUEUE.value, "created_at": rfc3339(issued_at)}

    async def _open_status(self, request_id: str) -> dict[str, Any]:
        """What is known of a request that has not ended."""
        progress = await self._store.progress(request_id)
        if progress is not None and not progress.is_waiting:
            reported = {"progress": progress.fraction, "message": progress.message}
            known = {name: value for name, value in reported.items() if value is not None}
            return {"status": Status.IN_PROGRESS.value, **known}
        if not self._ids.is_current(request_id, self._retention_seconds):
            raise Rejected(404, "expired", "the request is older than results are kept")
        return {}

    async def _pass_on(
        self,
        request: web.Request,
        about: dict[str, Any],
        headers: Mapping[str, str],
        metadata: ResultMetadata,
        size: int,
        pieces: AsyncIterator[bytes],
    ) -> web.StreamResponse:
        """Wrap the stored bytes, which are JSON, without reading or changing them."""
        about |= ended(metadata)
        if metadata.content_type:
            await closed(pieces)
            raw = {
                "result": None,
                "content_type": metadata.content_type,
                "result_url": result_url(request, about["id"]),
            }
            return web.json_response(about | raw, headers=headers)
        name = "result" if metadata.status is Status.COMPLETED else "error"
        head = f'{_begun(about)}, "{name}": '.encode()
        async with aclosing(pieces):  # type: ignore[type-var]
            if size <= limits.PIECE_BYTES:
                result = b"".join([piece async for piece in pieces])
                return web.Response(body=b"%b%b}" % (head, result), content_type=_JSON, headers=headers)
            response = web.StreamResponse(headers={"Content-Type": _JSON, REQUEST_ID: about["id"], **headers})
            response.content_length = len(head) + size + 1
            await response.prepare(request)
            try:
                await response.write(head)
                async for piece in pieces:
                    await response.write(piece)
                await response.write(b"}")
            except AwsError as error:
                # The answer has begun, so that only its cut end can tell the client that it is not whole.
                log.warning("a result was cut short", extra={"id": about["id"], "reason": str(error)})
                if request.transport is not None:
                    request.transport.abort()
            return response


def ended(metadata: ResultMetadata) -> dict[str, Any]:
    """Return what the status of a request that has ended tells beside its result."""
    ended = metadata.finished
    about = {"status": metadata.status.value, "timestamp": ended, "attempts": metadata.attempt}
    if metadata.started is not None:
        about["started_at"] = metadata.started
    about["completed_at"] = ended
    return about


def _begun(about: Mapping[str, str | int]) -> str:
    """Return the document without its end: what `json.dumps` would, since nothing in it needs an escape."""
    return "{" + ", ".join(
        [
            f'"{name}": "{value}"' if isinstance(value, str) else f'"{name}": {value}'
            for name, value in about.items()
        ]
    )


def _held_while_sent(size: int) -> int:
    return size if size <= limits.PIECE_BYTES else limits.SENDING_BYTES


async def closed(pieces: AsyncIterator[bytes]) -> None:
    """Close the reading of a result, which may not have begun."""
    async with aclosing(pieces):  # type: ignore[type-var]
        await anext(pieces, None)  # only a reading that has begun can be closed


def result_url(request: web.Request, request_id: str) -> str:
    """Where the bytes of a result are; the call was a submission or asked for the status."""
    path = request.rel_url.raw_path.removesuffix(f"/{request_id}")
    return f"{_origin(request)}{path}/{request_id}/result"


def accepted(request: web.Request, request_id: str) -> web.Response:
    """Respond to a submission: the id, and where its status is found."""
    headers = accepted_headers(request, request_id)
    status_url = _origin(request) + headers["Location"]
    return web.json_response({"id": request_id, "status_url": status_url}, headers=headers)


def accepted_headers(request: web.Request, request_id: str) -> dict[str, str]:
    """Return the headers of the response to a submission; the trace that it is part of, if any, is told too."""
    headers = {"Location": f"{request.rel_url.raw_path}/{request_id}"}
    if traceparent := logs.current_traceparent():
        headers["traceparent"] = traceparent
    return headers


def _origin(request: web.Request) -> str:
    """The scheme and host that the client called, which a proxy that ends TLS tells; "" when it named no host."""
    host = request.headers.get("Host")
    if not host:
        return ""
    told = request.headers.get("X-Forwarded-Proto")
    scheme = told.partition(",")[0].strip().lower() if told else ""
    return f"{scheme if scheme in _SCHEMES else request.scheme}://{host}"


def rfc3339(issued_at: float) -> str:
    """Return a time, in seconds since the epoch, as clients see it."""
    milliseconds = round(issued_at * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}+00:00"


@functools.lru_cache(maxsize=256)  # of requests that are polled together many were submitted in one second
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
