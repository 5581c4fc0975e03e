"""The in_progress object of one request: clients see the status by it, and later attempts are counted by it.

It also tells what the container reports of an attempt, at most once in 2 s.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cortex_async import limits
from cortex_async.storage.protocol import Progress, Store

log = logging.getLogger(__name__)


class ProgressMarker:
    """Writes the object: late for a first attempt, since a request that ends soon needs none."""

    def __init__(self, store: Store, request_id: str) -> None:
        self._store = store
        self._request_id = request_id
        self._written: Progress | None = None  # what the object tells, if this process wrote it
        self._writing: asyncio.Task[None] | None = None
        self._attempt: Progress | None = None  # that is being made
        self._reported: Progress | None = None  # and is to be written
        self._reporting: asyncio.Task[None] | None = None

    @contextmanager
    def after_a_while(self, progress: Progress) -> Iterator[None]:
        """Begin to write the object when this has lasted for `MARK_AFTER_SECONDS`."""
        self._attempt = progress
        timer = asyncio.get_running_loop().call_later(limits.MARK_AFTER_SECONDS, self._start, progress)
        try:
            yield
        finally:
            timer.cancel()
            self._stop_reporting()

    async def ensure(self, progress: Progress) -> None:
        """Return when the object tells of that; without one, nothing has begun, and nothing needs to be told."""
        self._stop_reporting()
        self._attempt = progress
        if self._writing is not None:
            await asyncio.wait({self._writing})
        if progress != (self._written or Progress(0, is_waiting=progress.is_waiting)):
            await self._write(progress)

    async def take_back(self, progress: Progress, seconds: float) -> None:
        """Let the object tell of that, since an attempt was cut short, as far as it can be done in `seconds`."""
        self._stop_reporting()
        is_uncertain = False
        if self._writing is not None:
            is_uncertain = bool((await asyncio.wait({self._writing}, timeout=seconds / 2))[1])
            self._writing.cancel()
        if self._written or is_uncertain:
            await self._try_to_write(progress, seconds / 2)

    def close(self) -> None:
        """Stop writing: there is a result now."""
        self._stop_reporting()
        if self._writing is not None:
            self._writing.cancel()

    def report(self, fraction: float | None, message: str | None) -> bool:
        """Let the object tell what the container reports, soon; False when no attempt is being made."""
        if self._attempt is None or self._attempt.is_waiting:
            return False
        self._reported = dataclasses.replace(self._attempt, fraction=fraction, message=message)
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._write_reports())
        return True

    async def _write_reports(self) -> None:
        while (reported := self._reported) is not None:
            if self._writing is not None:
                await asyncio.wait({self._writing})
            self._reported = None
            self._writing = asyncio.create_task(self._try_to_write(reported, limits.RETRY_LONGEST_SECONDS))
            await asyncio.sleep(limits.PROGRESS_SECONDS)

    def _stop_reporting(self) -> None:
        self._attempt = self._reported = None
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None

    def _start(self, progress: Progress) -> None:
        if self._writing is None:  # else a report is being written
            self._writing = asyncio.create_task(self._try_to_write(progress, limits.RETRY_LONGEST_SECONDS))

    async def _try_to_write(self, progress: Progress, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._write(progress)
        except TimeoutError:
            log.warning("could not mark a request as in progress", extra={"id": self._request_id})

    async def _write(self, progress: Progress) -> None:
        await self._store.mark_in_progress(self._request_id, progress)
        self._written = progress
