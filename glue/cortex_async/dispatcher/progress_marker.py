"""The in_progress object of one request: clients see the status by it, and later attempts are counted by it."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cortex_async import limits
from cortex_async.storage.protocol import Store

log = logging.getLogger(__name__)


class ProgressMarker:
    """Writes the object: late for a first attempt, since a request that ends soon needs none."""

    def __init__(self, store: Store, request_id: str) -> None:
        self._store = store
        self._request_id = request_id
        self._written = 0  # the attempt that the object tells of
        self._writing: asyncio.Task[None] | None = None

    @contextmanager
    def after_a_while(self, attempt: int) -> Iterator[None]:
        """Begin to write the object when this has lasted for `MARK_AFTER_SECONDS`."""
        timer = asyncio.get_running_loop().call_later(limits.MARK_AFTER_SECONDS, self._start, attempt)
        try:
            yield
        finally:
            timer.cancel()

    async def ensure(self, attempt: int) -> None:
        """Return when the object tells of `attempt`."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
        if self._written != attempt:
            await self._write(attempt)

    async def take_back(self, attempt: int, seconds: float) -> None:
        """Let an attempt that was cut short not count, as far as that can be done in `seconds`."""
        is_uncertain = False
        if self._writing is not None:
            is_uncertain = bool((await asyncio.wait({self._writing}, timeout=seconds / 2))[1])
            self._writing.cancel()
        if self._written or is_uncertain:
            await self._try_to_write(attempt - 1, seconds / 2)

    def close(self) -> None:
        """Stop writing: there is a result now."""
        if self._writing is not None:
            self._writing.cancel()

    def _start(self, attempt: int) -> None:
        if not self._written:
            self._writing = asyncio.create_task(self._try_to_write(attempt, limits.RETRY_LONGEST_SECONDS))

    async def _try_to_write(self, attempt: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._write(attempt)
        except TimeoutError:
            log.warning("could not mark a request as in progress", extra={"id": self._request_id})

    async def _write(self, attempt: int) -> None:
        await self._store.mark_in_progress(self._request_id, attempt)
        self._written = attempt
