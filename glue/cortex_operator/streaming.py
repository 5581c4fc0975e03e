"""The log of one replica, chosen at random."""

import codecs
import random
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from cortex_operator.apis import Api
from cortex_operator.errors import Refused
from cortex_operator.kubernetes import Kubernetes, Object

_LINES = 100
"""Of what was logged before."""
_PING_SECONDS = 30.0


async def send(
    request: web.Request, api: Api, pods: Sequence[Object], kubernetes: Kubernetes
) -> web.StreamResponse:
    """Send the log to a WebSocket in text frames, as the original does, and to anyone else line by line."""
    running = [each for each in pods if each["status"].get("phase") == "Running"]
    if not running:
        raise Refused("operator.no_running_pods", f"{api.name} has no running replica")
    pod = random.choice(running)
    container = next(each["name"] for each in pod["spec"]["containers"] if each["name"] != "dispatcher")
    follow = request.query.get("follow", "true") == "true"
    name = pod["metadata"]["name"]
    async with kubernetes.log(api.namespace, name, container, follow=follow, lines=_LINES) as pieces:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _to_socket(request, pieces)
        answer = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await answer.prepare(request)
        async for piece in pieces:
            await answer.write(piece)
        await answer.write_eof()
        return answer


async def _to_socket(request: web.Request, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    socket = web.WebSocketResponse(heartbeat=_PING_SECONDS)
    await socket.prepare(request)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a piece may end within a character
    async for piece in pieces:
        if text := decoder.decode(piece):
            await socket.send_str(text)
    await socket.close()
    return socket
