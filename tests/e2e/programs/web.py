"""The API's container in the suites: tells the witness of every request that it begins, and answers as asked.

The payload is JSON: `n` comes back in the result; `sleep` seconds pass before; `oom` takes all memory, once in the
life of a pod; `call` is the URL of another API, whose result becomes part of this one's; `status` is that of the
response.
"""

import asyncio
import os
import pathlib
import socket
from typing import Any

import aiohttp
from aiohttp import web

WITNESS = os.environ.get("WITNESS", "")
READY_FILE = os.environ.get("READY_FILE", "")
BOMBED = pathlib.Path("/mnt/bombed")


async def healthz(_: web.Request) -> web.Response:
    return web.Response(status=503 if READY_FILE and not pathlib.Path(READY_FILE).exists() else 200)


async def handle(request: web.Request) -> web.Response:
    request_id = request.headers["X-Cortex-Request-ID"]
    payload = await request.json()
    if WITNESS:
        await tell(f"{WITNESS}/starts/{request_id}")
    if payload.get("oom") and not BOMBED.exists():
        BOMBED.touch()
        bytearray(os.urandom(2**20)) * 2**12
    await asyncio.sleep(payload.get("sleep", 0))
    answer = {"n": payload.get("n"), "id": request_id, "pod": socket.gethostname()}
    if payload.get("call"):
        answer["called"] = await call(payload["call"])
    return web.json_response(answer, status=payload.get("status", 200))


async def tell(url: str) -> None:
    """Tell the witness, whose Service may need a moment to find it."""
    for left in reversed(range(20)):
        try:
            async with aiohttp.ClientSession() as http, http.post(url) as told:
                return told.raise_for_status()
        except aiohttp.ClientError:
            if not left:
                raise
            await asyncio.sleep(0.5)


async def call(url: str) -> Any:
    """Submit to another API and return its answer once it has ended."""
    async with aiohttp.ClientSession() as http:
        async with http.post(url, json={"n": "chained"}) as response:
            request_id = (await response.json())["id"]
        while True:
            async with http.get(f"{url}/{request_id}") as response:
                answer = await response.json()
            if answer["status"] not in ("in_queue", "in_progress"):
                return answer
            await asyncio.sleep(0.1)


app = web.Application()
app.add_routes([web.get("/healthz", healthz), web.post("/", handle)])

if __name__ == "__main__":
    web.run_app(app, port=int(os.environ["CORTEX_PORT"]), access_log=None)
