"""`/streamlogs` as the original's command reads it."""

import aiohttp

from operator_server.calls import VERSION
from support.kubernetes_api import Serving
from support.operator import RunningOperator, add_api


async def test_a_websocket_gets_the_log_in_text_frames_and_is_closed_at_its_end(
    cluster: Serving, operator: RunningOperator
) -> None:
    add_api(cluster.server, "hello")
    (pod,) = [key[3] for key in cluster.server.objects if key[1] == "pods"]
    cluster.server.logs[pod] = ["one\n", "two\n"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{operator.url}/streamlogs/hello", headers=VERSION) as socket,
    ):
        frames = [message async for message in socket]
    assert [(each.type, each.data) for each in frames] == [
        (aiohttp.WSMsgType.TEXT, "one\n"),
        (aiohttp.WSMsgType.TEXT, "two\n"),
    ]
