"""A receiver of webhooks: it keeps what it is sent, and answers what it is told to."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import standardwebhooks
from aiohttp import web

from support.processes import WAIT_SECONDS, free_port


def new_secret() -> str:
    """A secret of Standard Webhooks."""
    return "whsec_" + base64.b64encode(os.urandom(24)).decode()


@dataclass(frozen=True)
class Told:
    """One webhook as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def kind(self) -> str:
        return str(self.document["type"])

    def verified(self, secret: str) -> dict[str, Any]:
        """What the published library makes of it; raises its error for a wrong signature."""
        found: dict[str, Any] = standardwebhooks.Webhook(secret).verify(self.body, self.headers)
        return found


@dataclass
class Receiver:
    """`answers` are given in turn, then 200; with `hangs` there is none. A 302 leads to `/elsewhere`."""

    url: str
    answers: list[int] = field(default_factory=list)
    hangs: bool = False
    told: list[Told] = field(default_factory=list)
    elsewhere: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        told = Told({name.lower(): value for name, value in request.headers.items()}, await request.read())
        self.told.append(told)
        self._more.set()
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(
            status=self.answers.pop(0) if self.answers else 200, headers={"Location": "/elsewhere"}
        )

    async def redirected(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()

    async def wait_for(self, count: int) -> list[Told]:
        """Wait until that many have come."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.told) < count:
                self._more.clear()
                await self._more.wait()
        return self.told


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Receive on the loopback interface."""
    receiver = Receiver(f"http://127.0.0.1:{(port := free_port())}/hook")
    app = web.Application()
    app.router.add_post("/hook", receiver.receive)
    app.router.add_route("*", "/elsewhere", receiver.redirected)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()
