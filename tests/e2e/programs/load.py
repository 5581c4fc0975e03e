"""A client that submits until /tmp/stop is there, waits for every result, and prints figures.

The rate is steady, or grows from nothing over the first RAMP seconds: load.py URL RATE PAYLOAD [RAMP].

It is the witness too: the containers tell it of every request that they begin. All other calls to its port are
answered 403, as an account without any right would.
"""

import asyncio
import collections
import json
import math
import pathlib
import sys
import time
from typing import Any

import aiohttp
from aiohttp import web

STOP = pathlib.Path("/tmp/stop")
PORT = 8000
RESULT_SECONDS = 240.0
CALL_SECONDS = 30.0


class Load:
    def __init__(self, url: str, rate: float, payload: dict[str, Any], ramp: float = 0) -> None:
        self.url = url
        self.rate = rate
        self.ramp = ramp
        self.payload = payload
        self.starts: collections.Counter[str] = collections.Counter()
        self.refusals: collections.Counter[str] = collections.Counter()
        self.statuses: collections.Counter[str] = collections.Counter()
        self.reasons: collections.Counter[str] = collections.Counter()
        self.wrong = 0
        self.longest_submit = self.longest_result = 0.0

    async def run(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        tasks: list[asyncio.Task[None]] = []
        begun = time.monotonic()
        while not STOP.exists():
            tasks.append(asyncio.create_task(self.request(http, len(tasks))))
            await asyncio.sleep(max(0.0, begun + self.due(len(tasks)) - time.monotonic()))
        await asyncio.gather(*tasks)
        return {
            "requests": len(tasks),
            "seconds": round(time.monotonic() - begun),
            "completed": self.statuses["completed"],
            "failed": self.statuses["failed"],
            "lost": self.statuses["lost"],
            "wrong": self.wrong,
            "repeated": sum(count > 1 for count in self.starts.values()),
            "refused": self.refusals.total(),
            "refusals": self.refusals,
            "reasons": self.reasons,
            "longest_submit_seconds": round(self.longest_submit, 1),
            "longest_result_seconds": round(self.longest_result, 1),
        }

    def due(self, number: int) -> float:
        """When the request of that number is due, in seconds."""
        if number < self.rate * self.ramp / 2:
            return math.sqrt(2 * number * self.ramp / self.rate)
        return self.ramp / 2 + number / self.rate

    async def request(self, http: aiohttp.ClientSession, number: int) -> None:
        begun = time.monotonic()
        try:
            async with http.post(self.url, json={**self.payload, "n": number}) as response:
                accepted = response.status == 200
                refusal = f"HTTP {response.status}: {(await response.text())[:200]}"
                request_id = (await response.json())["id"] if accepted else ""
        except (aiohttp.ClientError, TimeoutError) as error:
            accepted, refusal, request_id = False, type(error).__name__, ""
        self.longest_submit = max(self.longest_submit, time.monotonic() - begun)
        if not accepted:
            self.refusals[refusal] += 1
            return
        answer = await self.ended(http, request_id, begun + RESULT_SECONDS)
        self.statuses[answer["status"]] += 1
        self.longest_result = max(self.longest_result, time.monotonic() - begun)
        if answer["status"] == "failed":
            self.reasons[json.dumps(answer.get("error", answer))[:200]] += 1
        if answer["status"] == "completed":
            self.wrong += answer["result"].get("n") != number or answer["result"].get("id") != request_id

    async def ended(self, http: aiohttp.ClientSession, request_id: str, until: float) -> dict[str, Any]:
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            try:
                async with http.get(f"{self.url}/{request_id}") as response:
                    answer: dict[str, Any] = await response.json() if response.status == 200 else {}
            except (aiohttp.ClientError, TimeoutError):
                continue
            if answer.get("status") in ("completed", "failed"):
                return answer
        return {"status": "lost"}


async def main(url: str, rate: float, payload: dict[str, Any], ramp: float = 0) -> None:
    load = Load(url, rate, payload, ramp)

    async def started(request: web.Request) -> web.Response:
        load.starts[request.match_info["id"]] += 1
        return web.Response()

    async def denied(_: web.Request) -> web.Response:
        body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        return web.Response(status=403, text=body, content_type="application/xml")

    app = web.Application()
    app.add_routes([web.post("/starts/{id}", started), web.route("*", "/{path:.*}", denied)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=PORT).start()
    if not rate:
        while not STOP.exists():
            await asyncio.sleep(0.5)
        return
    # a connection a request, so that each goes to one of the gateways by chance
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)
    ) as http:
        print(json.dumps(await load.run(http)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3]), *map(float, sys.argv[4:])))
