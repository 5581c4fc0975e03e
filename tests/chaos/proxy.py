"""A faulty proxy before an S3 and SQS server: `python -m chaos.proxy PORT ADMIN_PORT UPSTREAM SEED`.

The admin port answers `GET /counts`, and does as told by `POST /rate?value=0.1` (the share of calls that get a
fault), `POST /away?seconds=3&how=refuse|503` and `POST /clock?ahead=1200` (seconds: it then refuses what was
signed more than 5 minutes from a clock that is so far ahead). The sequence of faults follows from the seed and the
order in which calls come; that order is not the same in two runs.
"""

import asyncio
import email.utils
import json
import random
import sys
import time
from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from chaos.faults import Fault, Operation, choose, delay_seconds, error_answer, operation_of

_REMEMBERED = 200  # deliveries that may be repeated; the older ones are of messages that have ended long ago
_SKEW_SECONDS = 300.0
_CONNECTION_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Cut(Exception):
    """The client is to see a broken connection."""


class Proxy:
    """Forwards calls to `upstream`, or spoils them."""

    def __init__(self, upstream: str, seed: str, http: aiohttp.ClientSession) -> None:
        self._upstream = upstream
        self._chance = random.Random(seed)
        self._http = http
        self._delivered: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self.rate = 0.0
        self.away: str | None = None
        self.ahead = 0.0
        self.transports: set[asyncio.Transport] = set()
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.repeated = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        operation = operation_of(request.method, request.rel_url.raw_query_string, request.headers)
        self.calls[operation.name] += 1
        transport = request.transport
        if transport is None:
            return web.Response()
        self.transports.add(transport)
        try:
            if self.away is not None:
                return self._absent(operation)
            if self._is_skewed(request):
                return self._spoilt(operation, Fault.SKEWED)
            fault = choose(self._chance, self.rate, operation)
            return await self._answer(request, operation, fault, await request.read())
        except Cut:
            transport.abort()
            return web.Response()
        finally:
            self.transports.discard(transport)

    def _is_skewed(self, request: web.Request) -> bool:
        signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return abs(signed.timestamp() - time.time() - self.ahead) > _SKEW_SECONDS

    def _spoilt(self, operation: Operation, fault: Fault) -> web.Response:
        answer = error_answer(operation, fault)
        assert answer is not None
        self.faults[fault] += 1
        status, content_type, document = answer
        date = email.utils.formatdate(time.time() + self.ahead, usegmt=True)
        return web.Response(status=status, body=document, content_type=content_type, headers={"Date": date})

    def _absent(self, operation: Operation) -> web.Response:
        self.faults["away"] += 1
        answer = error_answer(operation, Fault.UNAVAILABLE)
        if self.away != "503" or answer is None:
            raise Cut
        return web.Response(status=503, body=answer[2], content_type=answer[1])

    async def _answer(
        self, request: web.Request, operation: Operation, fault: Fault | None, body: bytes
    ) -> web.StreamResponse:
        if fault is None:
            return _response(*await self._forward(request, body, operation))
        error = error_answer(operation, fault)
        if error is not None:
            return self._spoilt(operation, fault)
        if fault is Fault.CUT_BEFORE:
            self.faults[fault] += 1
            raise Cut
        if fault is Fault.DELAYED:
            await asyncio.sleep(delay_seconds(self._chance))
        if fault in (Fault.PARTIAL_BEFORE, Fault.PARTIAL_AFTER):
            self.faults[fault] += 1
            return await self._partly(request, operation, fault, body)
        if fault is Fault.DUPLICATED and self._delivered:
            return self._repeated(int(json.loads(body).get("MaxNumberOfMessages", 1)))
        status, headers, answer = await self._forward(request, body, operation)
        if fault is Fault.DUPLICATED:
            return _response(status, headers, answer)
        self.faults[fault] += 1
        if fault is Fault.CUT_AFTER:
            raise Cut
        if fault is Fault.TRUNCATED and answer:
            return await _truncated(request, status, headers, answer)
        return _response(status, headers, answer)

    async def _forward(
        self, request: web.Request, body: bytes, operation: Operation
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        url = URL(self._upstream + request.raw_path, encoded=True)
        try:
            async with self._http.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                answer = await response.read()
        except aiohttp.ClientError as error:
            self.faults["connection cut by the server itself"] += 1
            raise Cut from error
        if operation.name == "ReceiveMessage" and response.status == 200:
            self._delivered.extend(json.loads(answer or b"{}").get("Messages") or ())
        kept = {name: value for name, value in response.headers.items() if name.lower() not in _CONNECTION_HEADERS}
        if operation.name == "HeadObject" and "Content-Length" in response.headers:
            kept["Content-Length"] = response.headers["Content-Length"]
        return response.status, kept, answer

    async def _partly(
        self, request: web.Request, operation: Operation, fault: Fault, body: bytes
    ) -> web.StreamResponse:
        """Say of some entries that they failed: ones that were not sent on, or ones that were carried out."""
        document = json.loads(body)
        entries = document["Entries"]
        unlucky = {entry["Id"] for entry in self._chance.sample(entries, self._chance.randint(1, len(entries)))}
        if fault is Fault.PARTIAL_BEFORE:
            document["Entries"] = [entry for entry in entries if entry["Id"] not in unlucky]
        found: dict[str, Any] = {}
        status, headers = 200, {"Content-Type": "application/x-amz-json-1.0"}
        if document["Entries"]:
            status, headers, answer = await self._forward(request, json.dumps(document).encode(), operation)
            if status != 200:
                return _response(status, headers, answer)
            found = json.loads(answer)
        kept = [entry for entry in found.get("Successful") or () if entry["Id"] not in unlucky]
        failed = [entry for entry in found.get("Failed") or () if entry["Id"] not in unlucky]
        for entry_id in sorted(unlucky):
            failed.append({"Id": entry_id, "Code": "InternalError", "SenderFault": False, "Message": "proxy"})
        return _response(status, headers, json.dumps({"Successful": kept, "Failed": failed}).encode())

    def _repeated(self, count: int) -> web.Response:
        """Deliver messages again that are in other hands, or have ended already, instead of new ones."""
        again = self._chance.sample(list(self._delivered), min(count, len(self._delivered)))
        self.faults[Fault.DUPLICATED] += 1
        self.repeated += len(again)
        document = json.dumps({"Messages": again}).encode()
        return _response(200, {"Content-Type": "application/x-amz-json-1.0"}, document)


def _response(status: int, headers: dict[str, str], body: bytes) -> web.Response:
    return web.Response(status=status, headers=headers, body=body)


async def _truncated(
    request: web.Request, status: int, headers: dict[str, str], body: bytes
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


class Admin:
    """Starts and stops the proxy's port, and tells what happened."""

    def __init__(self, proxy: Proxy, port: int) -> None:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, handler_cancellation=True)
        self._proxy = proxy
        self._port = port
        self._site: web.TCPSite | None = None

    async def listen(self) -> None:
        if self._runner.server is None:
            await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=1024)
        await self._site.start()

    async def counts(self, _: web.Request) -> web.Response:
        proxy = self._proxy
        return web.json_response({"calls": proxy.calls, "faults": proxy.faults, "repeated": proxy.repeated})

    async def rate(self, request: web.Request) -> web.Response:
        self._proxy.rate = float(request.query["value"])
        return web.json_response({})

    async def clock(self, request: web.Request) -> web.Response:
        self._proxy.ahead = float(request.query["ahead"])
        return web.json_response({})

    async def away(self, request: web.Request) -> web.Response:
        """Refuse connections, or answer 503, and answer this call when that is over."""
        self._proxy.away = request.query["how"]
        for transport in list(self._proxy.transports):
            transport.abort()
        if self._proxy.away == "refuse" and self._site is not None:
            await self._site.stop()
        await asyncio.sleep(float(request.query["seconds"]))
        if self._proxy.away == "refuse":
            await self.listen()
        self._proxy.away = None
        return web.json_response({})

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/counts", self.counts)
        app.router.add_post("/rate", self.rate)
        app.router.add_post("/clock", self.clock)
        app.router.add_post("/away", self.away)
        return app


async def serve(port: int, admin_port: int, upstream: str, seed: str) -> None:
    """Serve until killed."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_read=90),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as http:
        admin = Admin(Proxy(upstream, seed, http), port)
        await admin.listen()
        runner = web.AppRunner(admin.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", admin_port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
