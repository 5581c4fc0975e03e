"""A container too busy to take connections is waited for: nothing was sent to it, so nothing has failed."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable

import aiohttp

from support.stack import Client, Stack

CONNECTIONS = 300  # more than the web server's backlog
LONGER_THAN_A_CONNECTION_IS_KEPT_SECONDS = 2
LONGER_THAN_A_CONNECT_SECONDS = 8


async def test_request_waits_while_the_container_takes_no_connections(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.document["probes"][0]["periodSeconds"] = 30
    stack.all()
    client = Client(stack, http)
    await asyncio.sleep(LONGER_THAN_A_CONNECTION_IS_KEPT_SECONDS)  # that of the probe
    web = stack.latest("web")
    web.signal(signal.SIGSTOP)
    with contextlib.ExitStack() as filling:
        for _ in range(CONNECTIONS):
            connection = filling.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", stack.port))
        request_id = await client.submit(b"x")
        await asyncio.sleep(LONGER_THAN_A_CONNECT_SECONDS)
        _, document = await client.get(request_id)
        assert document["status"] in ("in_queue", "in_progress"), document
    web.signal(signal.SIGCONT)
    assert (await client.ended(request_id))["status"] == "completed"
