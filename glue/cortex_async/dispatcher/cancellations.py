"""How a dispatcher learns that requests were cancelled, at hardly any cost while none are.

A cancelled request has a result. Looking for that before every request would cost a call each; so one object of
the API tells of its last cancellation, and one look at it does for all that ask while another is under way. Only
the result of a request that was submitted before that moment is looked for. Who begins within a second of its
submission needs no look at all: the gateway confirms no cancellation before that.
"""

import asyncio
import time
from collections.abc import Iterable

from cortex_async import limits
from cortex_async.dispatcher.in_flight import Request
from cortex_async.storage.protocol import Cancellation, Store


class Cancellations:
    """Looks for the cancellations of one API."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._look: asyncio.Task[Cancellation | None] | None = None  # that has begun last
        self._next: asyncio.Task[Cancellation | None] | None = None  # that begins when that one has ended

    async def may_begin(self, request: Request) -> bool:
        """Whether a request that comes for the first time was not cancelled."""
        if time.time() - request.issued_at < limits.CANCEL_UNSEEN_SECONDS:
            return True
        last = await self._last()
        if last is None or request.issued_at - limits.ID_FUTURE_SECONDS > last.at:  # for clocks that differ
            return True
        return not await self._store.has_result(request.id)

    async def watch(self, requests: Iterable[Request]) -> None:
        """Break off the attempts of those in flight, `requests`, that are cancelled; runs for ever."""
        seen: Cancellation | None = None
        while True:
            await asyncio.sleep(limits.CANCEL_WATCH_SECONDS)
            open_requests = [each for each in requests if each.left_at is None]
            last = await self._last() if open_requests else seen
            if last != seen:
                await asyncio.gather(*[self._break_off(each) for each in open_requests])
            seen = last

    async def _break_off(self, request: Request) -> None:
        if await self._store.has_result(request.id) and request.left_at is None:
            request.is_cancelled = True
            if request.timeout is not None:
                request.timeout.end()

    async def _last(self) -> Cancellation | None:
        """Look, later than now: a look that is under way may have been too early."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._look))
        return await asyncio.shield(self._next)

    async def _look_after(self, before: "asyncio.Task[Cancellation | None] | None") -> Cancellation | None:
        if before is not None:
            await asyncio.wait({before})
        self._look, self._next = self._next, None
        return await self._store.last_cancellation()
