"""Where a result is stored, whatever its size and status."""

import logging
from collections.abc import AsyncIterator

from cortex_async.dispatcher.in_flight import Request
from cortex_async.errors import ObjectExists
from cortex_async.storage.protocol import Status, Store

log = logging.getLogger(__name__)


async def store_result(
    store: Store,
    request: Request,
    body: bytes | AsyncIterator[bytes],
    status: Status,
    *,
    dead_letter: bool = False,
) -> None:
    """Store the result of a request; that of another attempt, when it came first, stays.

    Raises what `body` raises, and for an iterator UploadLost and ObjectTooLarge.
    """
    try:
        await store.put_result(request.id, body, status, request.attempt, dead_letter=dead_letter)
    except ObjectExists:
        log.info("another attempt was first; this result is dropped", extra={"id": request.id})
