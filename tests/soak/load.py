"""One round of load: clients of every kind, side by side, all of which have ended when it is over."""

import asyncio
import functools
import io
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
from yarl import URL

from support import raw
from support.stack import Stack

_LARGE_BYTES = 6 * 2**20
_POLL_SECONDS = 0.3
_WAIT_SECONDS = 60
_GIVEN_UP_SECONDS = 120.0


class Load:
    """Sends requests, and counts how they ended; `wrong` is what did not end as it should."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def round(self, clients: int, seconds: float) -> None:
        """Keep so many clients of each kind busy for that time."""
        end = time.monotonic() + seconds
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=180)
            ) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in range(clients):
                for kind in (self._small, self._failing, self._retried, self._waiting):
                    group.create_task(self._again(functools.partial(kind, http), end))
                group.create_task(self._again(self._goes_away if number % 2 else self._breaks_off, end))
            group.create_task(self._again(functools.partial(self._large, http), end))

    async def _again(self, kind: Callable[[], Awaitable[None]], end: float) -> None:
        while time.monotonic() < end:
            await kind()

    async def _small(self, http: aiohttp.ClientSession) -> None:
        await self._ends(http, b'{"n": 1}', "?n=1", "completed")

    async def _failing(self, http: aiohttp.ClientSession) -> None:
        await self._ends(http, b"{}", "?status=404", "failed")

    async def _retried(self, http: aiohttp.ClientSession) -> None:
        await self._ends(http, b"{}", "?status=503&once", "completed")

    async def _large(self, http: aiohttp.ClientSession) -> None:
        await self._ends(http, bytes(_LARGE_BYTES), f"?fill={_LARGE_BYTES}", "completed")

    async def _waiting(self, http: aiohttp.ClientSession) -> None:
        """Submit under a key of its own, and wait within the call."""
        headers = {"Prefer": f"wait={_WAIT_SECONDS}", "Idempotency-Key": f"{time.monotonic_ns()}"}
        async with http.post(f"{self._stack.url}?sleep=0.2", data=b"{}", headers=headers) as response:
            document = await response.json()
        if document.get("status") not in ("completed", "in_queue", "in_progress"):
            self.wrong.append(f"a call that waits: {document}")
        self.counts["submitted, and waited for"] += 1

    async def _ends(self, http: aiohttp.ClientSession, payload: bytes, query: str, wanted: str) -> None:
        data = io.BytesIO(payload) if len(payload) > 2**20 else payload
        async with http.post(URL(f"{self._stack.url}{query}", encoded=True), data=data) as response:
            document = await response.json()
            if response.status == 503:  # the client is to come back
                self.counts["POST answered 503"] += 1
                await asyncio.sleep(1)
                return
        end = time.monotonic() + _GIVEN_UP_SECONDS
        url = f"{self._stack.url}/{document['id']}"
        status = ""
        while status not in ("completed", "failed") and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)
            async with http.get(url) as response:
                body = await response.read()
                if response.status == 200:
                    status = json.loads(body)["status"]
        self.counts[status] += 1
        if status != wanted:
            self.wrong.append(f"{document['id']} ({query}): {status or 'no end'}, {wanted} was expected")

    async def _goes_away(self) -> None:
        """Break off in the middle of a body."""
        await self._sends(b"Content-Length: 500000\r\n\r\n" + bytes(100_000))

    async def _breaks_off(self) -> None:
        """Break off in the middle of a head."""
        await self._sends(b"X-Long: " + b"x" * 30_000)

    async def _sends(self, rest: bytes) -> None:
        with suppress(OSError):
            async with raw.Connection(self._stack.gateway_port) as client:
                await client.send(b"POST /%b HTTP/1.1\r\nHost: x\r\n" % self._stack.name.encode() + rest)
                await asyncio.sleep(0.2)
        self.counts["clients that went away"] += 1
