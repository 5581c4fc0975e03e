"""Names the language of a text: POST / takes plain text; ready once the model is loaded."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

import model
from aiohttp import web

MODEL = web.AppKey("MODEL", model.Model)


async def load_model(app: web.Application) -> AsyncIterator[None]:
    async def wait_for_it() -> None:
        while (found := model.load()) is None:  # noqa: ASYNC110 (a file sets no event)
            await asyncio.sleep(0.1)
        app[MODEL].update(found)

    loading = asyncio.create_task(wait_for_it())
    yield
    loading.cancel()
    with suppress(asyncio.CancelledError):
        await loading


async def healthz(request: web.Request) -> web.Response:
    loaded = request.app[MODEL]
    return web.json_response({"languages": list(loaded)}, status=200 if loaded else 503)


async def identify(request: web.Request) -> web.Response:
    return web.json_response(model.identify(request.app[MODEL], await request.text()))


app = web.Application(client_max_size=1024**2)
app[MODEL] = {}
app.cleanup_ctx.append(load_model)
app.add_routes([web.get("/healthz", healthz), web.post("/", identify)])

if __name__ == "__main__":
    web.run_app(app, port=int(os.environ["CORTEX_PORT"]))
