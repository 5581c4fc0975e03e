"""A receiver of spans by OTLP over HTTP that keeps each body as it came; `GET /` answers all, in base64."""

import base64
import sys

from aiohttp import web

bodies: list[bytes] = []


async def receive(request: web.Request) -> web.Response:
    bodies.append(await request.read())
    return web.Response(content_type="application/x-protobuf")


async def told(_: web.Request) -> web.Response:
    return web.json_response([base64.b64encode(body).decode() for body in bodies])


app = web.Application()
app.add_routes([web.post("/v1/traces", receive), web.get("/", told)])

if __name__ == "__main__":
    web.run_app(app, port=int(sys.argv[1]), access_log=None)
