"""How a dispatcher learns that requests were cancelled, at hardly any cost while none are.

A cancelled request has a result. Looking for that before every request would cost a call each; so one object of
the API tells of its last cancellation. Only the result of a request that was submitted before that moment is
looked for. A request that is received within a second of its submission needs no look at all. A look takes
place while requests wait for their turn, and does for all that are received within half a second, so that the
container hardly ever waits for one. The gateway confirms a cancellation when all that began by an earlier look
have begun.
"""

import asyncio
import math
import time
from collections.abc import Iterable

from cortex_async import limits
from cortex_async.dispatcher.in_flight import Request
from cortex_async.storage.protocol import Cancellation, Store

Look = asyncio.Task[Cancellation | None]
Check = asyncio.Task[bool]
"""Whether a request may begin: it was not cancelled."""


class Cancellations:
    """Looks for the cancellations of one API."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._look: Look | None = None  # that has begun last
        self._looked_at = -math.inf  # when it began, by the loop's clock

    def check(self, request: Request) -> Check | None:
        """Begin to find out whether a request that comes for the first time may begin; None: it may."""
        if time.time() - request.issued_at < limits.CANCEL_UNSEEN_SECONDS:
            return None
        look = self._recent_look(limits.CANCEL_LOOK_SECONDS)
        if look.done() and not look.exception() and _is_later(request, look.result()):
            return None
        return asyncio.create_task(self._may_begin(request, look, self._looked_at))

    async def _may_begin(self, request: Request, look: Look, looked_at: float) -> bool:
        """Look again when the answer comes too late to be true of now, a few times at most: S3 may stay slow."""
        for left in reversed(range(limits.CANCEL_LOOKS_AT_MOST)):
            last = await asyncio.shield(look)
            if not _is_later(request, last) and await self._store.has_result(request.id):
                return False
            age = asyncio.get_running_loop().time() - looked_at
            if not left or age <= limits.CANCEL_LOOK_SECONDS + limits.TURN_SECONDS:
                break
            look, looked_at = self._recent_look(limits.CANCEL_LOOK_SECONDS), self._looked_at
        return True

    async def watch(self, requests: Iterable[Request]) -> None:
        """Break off the attempts of those in flight, `requests`, that are cancelled; runs for ever."""
        seen: Cancellation | None = None
        while True:
            await asyncio.sleep(limits.CANCEL_WATCH_SECONDS)
            open_requests = [each for each in requests if each.left_at is None]
            last = await asyncio.shield(self._recent_look(0)) if open_requests else seen
            if last != seen:
                await asyncio.gather(*[self._break_off(each) for each in open_requests])
            seen = last

    async def _break_off(self, request: Request) -> None:
        if await self._store.has_result(request.id) and request.left_at is None:
            request.is_cancelled = True
            if request.timeout is not None:
                request.timeout.end()

    def _recent_look(self, seconds: float) -> Look:
        """Return a look that began within that time, or begin one."""
        now = asyncio.get_running_loop().time()
        if self._look is None or now - self._looked_at > seconds:
            self._look, self._looked_at = asyncio.create_task(self._store.last_cancellation()), now
        return self._look


def _is_later(request: Request, last: Cancellation | None) -> bool:
    """Whether a request was submitted after the last cancellation, so that it was not cancelled."""
    return last is None or request.issued_at - limits.ID_FUTURE_SECONDS > last.at  # for clocks that differ
