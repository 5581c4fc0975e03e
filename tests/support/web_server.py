"""The container of the tests: answers as the query of each request asks, and tells what reached it.

`status`, `sleep` (seconds), `progress` (a JSON array of reports), `hold` (until a file `let-go` is beside the
journal), `answer` (the body, verbatim), `type` (its Content-Type), `head` (bytes of a header beside it), `fill`
(bytes of a JSON string), `echo` (the payload, while it comes), `crash` (ends the process), `once` (do this only
for the first attempt), `retry_after`.
"""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from aiohttp import web

seen: dict[str, int] = {}


async def answer(request: web.Request) -> web.StreamResponse:
    if "echo" in request.query:
        return await echoed(request)
    digest = hashlib.sha256()
    size = 0
    async for piece in request.content.iter_any():
        digest.update(piece)
        size += len(piece)
    request_id = request.headers["X-Cortex-Request-ID"]
    seen[request_id] = seen.get(request_id, 0) + 1
    journal(f"start {request_id}")
    query = request.query
    if "once" not in query or seen[request_id] == 1:
        await as_asked(query, request_id)
        if "crash" in query:
            os._exit(17)
        if "status" in query:
            headers = {"Retry-After": query["retry_after"]} if "retry_after" in query else None
            return web.Response(status=int(query["status"]), text=query.get("answer", "no"), headers=headers)
    journal(f"end {request_id}")
    if "fill" in query:
        return await filled(request, int(query["fill"]))
    if "answer" in query or "type" in query:
        headers = {
            "Content-Type": query.get("type", "application/json"),
            "X-Head": "x" * int(query.get("head", 0)),
        }
        return web.Response(body=query.get("answer", "").encode(), headers=headers)
    return web.json_response(
        {
            "sha256": digest.hexdigest(),
            "size": size,
            "path": request.rel_url.raw_path,
            "query": request.rel_url.raw_query_string,
            "headers": [[name, value] for name, value in request.headers.items()],
            "attempt": seen[request_id],
        }
    )


async def as_asked(query: Mapping[str, str], request_id: str) -> None:
    if "sleep" in query:
        await asyncio.sleep(float(query["sleep"]))
    if "progress" in query:
        await reported(request_id, query["progress"])
    if "hold" in query:
        await let_go(request_id)


async def reported(request_id: str, documents: str) -> None:
    """Report each of a JSON array, and write down the status of the answers."""
    async with aiohttp.ClientSession() as http:
        for document in json.loads(documents):
            url = f"{Path(os.environ['JOURNAL']).with_name('progress-url').read_text()}/{request_id}"
            async with http.post(url, data=json.dumps(document)) as response:
                journal(f"report-{response.status} {request_id}")


async def let_go(request_id: str) -> None:
    file = Path(os.environ["JOURNAL"]).with_name("let-go")
    try:
        while not file.exists():  # noqa: ASYNC110 (another process makes it)
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        journal(f"closed {request_id}")
        raise


async def echoed(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def filled(request: web.Request, size: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'"')
    for start in range(0, size, 65536):
        await response.write(b"x" * min(65536, size - start))
    await response.write(b'"')
    return response


def journal(line: str) -> None:
    if "JOURNAL" in os.environ:
        with Path(os.environ["JOURNAL"]).open("a") as file:
            file.write(f"{line}\n")


async def cancel(request: web.Request) -> web.Response:
    assert (await request.json())["id"] == request.headers["X-Cortex-Request-ID"]
    journal(f"cancel {request.headers['X-Cortex-Request-ID']}")
    return web.Response()


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text=json.dumps({"pid": os.getpid()}))


def main() -> None:
    if Path(os.environ.get("JOURNAL", "")).is_file():  # a restart remembers what came before
        for line in Path(os.environ["JOURNAL"]).read_text().splitlines():
            word, request_id = line.split()
            seen[request_id] = seen.get(request_id, 0) + (word == "start")
    app = web.Application()
    app.router.add_post("/", answer)
    app.router.add_post("/cancel", cancel)
    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app, auto_decompress=False, access_log=None, handler_cancellation=True)

    async def serve() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
