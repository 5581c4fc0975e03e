"""The log of one replica, chosen at random."""

import random
from collections.abc import Sequence

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
    lines = kubernetes.log(api.namespace, pod["metadata"]["name"], container, follow=follow, lines=_LINES)
    if request.headers.get("Upgrade", "").lower() == "websocket":
        socket = web.WebSocketResponse(heartbeat=_PING_SECONDS)
        await socket.prepare(request)
        async for line in lines:
            await socket.send_str(line.decode(errors="replace"))
        await socket.close()
        return socket
    answer = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await answer.prepare(request)
    async for line in lines:
        await answer.write(line)
    await answer.write_eof()
    return answer
