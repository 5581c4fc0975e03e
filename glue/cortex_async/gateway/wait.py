"""`Prefer: wait=N` and `?wait=N`: answer when the request has ended, or after N seconds."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from cortex_async import limits
from cortex_async.gateway.errors import Rejected

_PREFERENCE = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=[,;]|$)', re.IGNORECASE)


def preferred_seconds(request: web.Request) -> int:
    """How long the client would wait, by its Prefer header (RFC 7240); 0 when that says nothing."""
    found = None
    if "Prefer" in request.headers:
        found = _PREFERENCE.search(",".join(request.headers.getall("Prefer")))
    return min(int(found[1]), limits.WAIT_MOST_SECONDS) if found else 0


def asked_seconds(request: web.Request) -> int:
    """How long who asks for a status would wait; raises Rejected (400) when `wait` is no number of seconds."""
    if not request.rel_url.raw_query_string:
        return preferred_seconds(request)
    asked = request.rel_url.query.get("wait")
    if asked is None:
        return preferred_seconds(request)
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= 9):
        raise Rejected(400, "invalid_wait", "wait must be a number of seconds")
    return min(int(asked), limits.WAIT_MOST_SECONDS)


def pause_seconds(waited: float, waiters: int) -> float:
    """The pause before the next look: a tenth of what was waited so far, and longer with many waiters.

    Jittered, so that those who came together do not look together.
    """
    grown = min(max(limits.WAIT_FIRST_SECONDS, waited / 10), limits.WAIT_LONGEST_SECONDS)
    return max(grown, waiters / limits.WAIT_LOOKS_A_SECOND) * random.uniform(0.75, 1.25)


class Waiters:
    """All who wait at this gateway; at most `WAITERS_AT_MOST`, beyond which nobody waits."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._count = 0
        self._is_closed = False

    async def wait(self, request: web.Request, seconds: int, has_ended: Callable[[], Awaitable[bool]]) -> None:
        """Return when `has_ended` says so, after that many seconds, or when client or gateway go away."""
        if self._count >= limits.WAITERS_AT_MOST:
            return
        self._count += 1
        try:
            await self._looking(request, seconds, has_ended)
        finally:
            self._count -= 1

    def close(self) -> None:
        """Let nobody wait any more: the process is about to end."""
        self._is_closed = True
        for waiting in self._waiting:
            _wake(waiting)

    async def _looking(self, request: web.Request, seconds: int, has_ended: Callable[[], Awaitable[bool]]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self._is_closed and request.transport is not None:
            if await has_ended():
                return
            waited = loop.time() - began
            left = seconds - waited
            if left <= 0:
                return
            await self._sleep(min(pause_seconds(waited, self._count), left))

    async def _sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.add(waiting)
        timer = loop.call_later(seconds, _wake, waiting)
        try:
            await waiting
        finally:
            timer.cancel()
            self._waiting.discard(waiting)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
