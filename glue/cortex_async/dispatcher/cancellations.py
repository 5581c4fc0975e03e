"""How a dispatcher learns that requests were cancelled, at hardly any cost while none are.

A cancelled request has a result. Looking for that before every request would cost a call each; so one object of
the API tells of its last cancellation, and one look at it does for all that ask while another is under way. Only
the result of a request that was submitted before that moment is looked for. Who is received within a second of
its submission needs no look at all. A look takes place while the request waits for its turn, so that the container
never waits for one; the gateway confirms a cancellation when all that looked before it have begun.
"""

import asyncio
import time
from collections.abc import Iterable

from cortex_async import limits
from cortex_async.dispatcher.in_flight import Request
from cortex_async.storage.protocol import Cancellation, Store

Look = asyncio.Task[Cancellation | None]


class Cancellations:
    """Looks for the cancellations of one API."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._look: Look | None = None  # that has begun last
        self._next: Look | None = None  # that begins when that one has ended

    def look(self, request: Request) -> Look | None:
        """Begin to look, while a request waits for its turn; None when it may begin without a look."""
        if time.time() - request.issued_at < limits.CANCEL_UNSEEN_SECONDS:
            return None
        return self._later_look()

    async def may_begin(self, request: Request, look: Look | None) -> bool:
        """Whether a request that comes for the first time was not cancelled, as far as `look` tells."""
        if look is None:
            return True
        last = await asyncio.shield(look)
        if last is None or request.issued_at - limits.ID_FUTURE_SECONDS > last.at:  # for clocks that differ
            return True
        return not await self._store.has_result(request.id)

    async def watch(self, requests: Iterable[Request]) -> None:
        """Break off the attempts of those in flight, `requests`, that are cancelled; runs for ever."""
        seen: Cancellation | None = None
        while True:
            await asyncio.sleep(limits.CANCEL_WATCH_SECONDS)
            open_requests = [each for each in requests if each.left_at is None]
            last = await asyncio.shield(self._later_look()) if open_requests else seen
            if last != seen:
                await asyncio.gather(*[self._break_off(each) for each in open_requests])
            seen = last

    async def _break_off(self, request: Request) -> None:
        if await self._store.has_result(request.id) and request.left_at is None:
            request.is_cancelled = True
            if request.timeout is not None:
                request.timeout.end()

    def _later_look(self) -> Look:
        """Look, later than now: a look that is under way may have been too early."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._look))
        return self._next

    async def _look_after(self, before: Look | None) -> Cancellation | None:
        if before is not None:
            await asyncio.wait({before})
        self._look, self._next = self._next, None
        return await self._store.last_cancellation()
