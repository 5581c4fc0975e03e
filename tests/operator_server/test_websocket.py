"""`/streamlogs` as the original's command reads it."""

import aiohttp
import pytest

from operator_server.calls import VERSION
from support.kubernetes_api import Serving
from support.operator_process import RunningOperator, add_api


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
    assert {each.type for each in frames} == {aiohttp.WSMsgType.TEXT}
    assert "".join(each.data for each in frames) == "one\ntwo\n"


async def test_a_log_that_cannot_be_read_is_told_before_anything_is_sent(
    cluster: Serving, operator: RunningOperator
) -> None:
    add_api(cluster.server, "hello")
    cluster.server.forbidden = {"pods/log"}
    done = operator.cortex("logs", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pods/log is forbidden" in done.stderr
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(f"{operator.url}/streamlogs/hello", headers=VERSION)
    assert raised.value.status == 502


def test_an_api_without_a_running_replica_has_no_log(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello", replicas=0)
    assert "no running replica" in operator.cortex("logs", "hello").stderr
