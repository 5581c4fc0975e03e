"""Greets: POST / takes `{"name": "world"}` and answers `{"greeting": "hello, world"}`."""

import json
import os

from aiohttp import web


async def healthz(request: web.Request) -> web.Response:
    return web.json_response({"ready": True})


async def greet(request: web.Request) -> web.Response:
    try:
        payload = await request.json()
    except json.JSONDecodeError as error:
        return web.json_response({"error": f"the payload is not JSON: {error}"}, status=400)
    name = payload.get("name", "world") if isinstance(payload, dict) else None
    if not isinstance(name, str):
        return web.json_response({"error": 'expected a payload such as {"name": "world"}'}, status=400)
    request_id = request.headers.get("X-Cortex-Request-ID")
    return web.json_response({"greeting": f"hello, {name}", "request_id": request_id})


app = web.Application(client_max_size=1024**2)
app.add_routes([web.get("/healthz", healthz), web.post("/", greet)])

if __name__ == "__main__":
    web.run_app(app, port=int(os.environ["CORTEX_PORT"]))
