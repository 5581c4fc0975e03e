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
    attempts: int | None = None,
    dead_letter: bool = False,
    content_type: str = "",
) -> None:
    """Store the result of a request; that of another attempt, when it came first, stays.

    `attempts` counts those that were made, if this one is not among them; `content_type` is that of a body that is
    no JSON. Raises what `body` raises, and for an iterator UploadLost and ObjectTooLarge.
    """
    made = request.attempt if attempts is None else attempts
    try:
        await store.put_result(
            request.id,
            body,
            status,
            made,
            started=request.attempted_at,
            dead_letter=dead_letter,
            content_type=content_type,
            callback_url=request.message.callback_url,
        )
        request.stored = status
    except ObjectExists:
        log.info("another attempt was first; this result is dropped", extra={"id": request.id})
