"""A proxy before the emulator that refuses calls, or holds them up, as a test wants."""

import asyncio
import io
from collections.abc import Callable
from typing import Self

import aiohttp
from aiohttp import web

Chosen = Callable[[web.Request, bytes], bool]


class AwsProxy:
    """Forwards to an emulator; `refused` calls are answered 403, `delayed` ones wait that many seconds."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.refused: Chosen = lambda _request, _body: False
        self.refusals = 0
        self.delayed: Chosen = lambda _request, _body: False
        self.delay_seconds = 0.0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refused(request, body):
            self.refusals += 1
            if "X-Amz-Target" in request.headers:
                answer = {"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no sqs:SendMessage"}
                return web.json_response(answer, status=403)
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        if self.delayed(request, body):
            await asyncio.sleep(self.delay_seconds)
        hop = {"content-length", "transfer-encoding", "connection"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in hop}
        url = self._upstream + request.raw_path
        async with self._http.request(request.method, url, data=io.BytesIO(body), headers=headers) as found:
            kept = hop - {"content-length"} if request.method == "HEAD" else hop
            headers = {name: value for name, value in found.headers.items() if name.lower() not in kept}
            return web.Response(status=found.status, headers=headers, body=await found.read())
