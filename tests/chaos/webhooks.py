"""The receiver of a run: it verifies each webhook by the published library, and does not take some at first."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import standardwebhooks
from aiohttp import web

from support.processes import free_port

SECRET = "whsec_Y2hhb3MtY2hhb3MtY2hhb3MtY2hhb3Mt"  # of this run alone


@dataclass
class Receiver:
    """Answers 500 to the first try of one webhook of `refuse_every` (0: of none), and 200 to all else."""

    refuse_every: int
    url: str = ""
    taken: dict[str, str] = field(default_factory=dict)  # id -> how the request ended, as it was told
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)  # the ids of requests
    _seen: set[str] = field(default_factory=set)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        webhook_id = request.headers.get("webhook-id", "")
        try:
            document = standardwebhooks.Webhook(SECRET).verify(body, dict(request.headers))
            request_id, kind = self._read(webhook_id, document)
        except (standardwebhooks.WebhookVerificationError, ValueError, KeyError) as error:
            self.wrong.append(f"a webhook {webhook_id!r} that is not one: {error!r}")
            return web.Response()
        is_new = webhook_id not in self._seen
        self._seen.add(webhook_id)
        if is_new and self.refuse_every and len(self._seen) % self.refuse_every == 0:
            self.counts["webhooks that were not taken at first"] += 1
            self.refused.add(request_id)
            return web.Response(status=500)
        self.counts["webhooks taken"] += 1
        self._more.set()
        if self.taken.setdefault(request_id, kind) != kind:
            self.wrong.append(f"{request_id}: told to be {kind} after {self.taken[request_id]}")
        return web.Response()

    def _read(self, webhook_id: str, document: Mapping[str, Any]) -> tuple[str, str]:
        """Return of which request a webhook is, and how that ended; raises ValueError when its parts disagree."""
        data, kind = document["data"], str(document["type"])
        if webhook_id != f"{data['id']}-{kind}" or data["status"] != kind:
            raise ValueError(json.dumps(document)[:300])
        return str(data["id"]), kind

    async def settle(self, wanted: Mapping[str, str], within: float, queued: Callable[[], int]) -> list[str]:
        """Wait until all that ended so were told; return what is wrong, or was not told in time.

        One that was refused may be due hours later, since receives that were lost count as tries: it must be on
        the queue of webhooks, which holds `queued()` messages.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while wanted.keys() - self.taken.keys():
                    self._more.clear()
                    await self._more.wait()
        missing = wanted.keys() - self.taken.keys()
        if missing <= self.refused and len(missing) <= await asyncio.to_thread(queued):
            self.counts["webhooks that wait on their queue for another try"] += len(missing)
            missing = set()
        other = [each for each, status in wanted.items() if self.taken.get(each, status) != status]
        return [
            *self.wrong,
            *(f"{each}: no webhook came of its end" for each in missing),
            *(f"{each}: told to be {self.taken[each]}, and is {wanted[each]}" for each in other),
        ]


@asynccontextmanager
async def receiving(refuse_every: int) -> AsyncIterator[Receiver]:
    """Receive on the loopback interface."""
    port = free_port()
    receiver = Receiver(refuse_every, f"http://127.0.0.1:{port}/")
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/", receiver.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()
