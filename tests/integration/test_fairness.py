"""Two tenants on one API: with `queue.fairnessHeader` a quiet one does not wait for all that a noisy one sent."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from support.fair_queue import FairQueue
from support.processes import wait_until
from support.stack import Client, Stack

NOISY, QUIET = 60, 4


@pytest.mark.parametrize("header", ["X-Tenant", None])
async def test_a_quiet_tenant_does_not_wait_for_a_noisy_one(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession, header: str | None
) -> None:
    """Without the header, which is the default, it does: so the order is the header's doing."""
    stack = make_stack({"queue": {"fairnessHeader": header}, "pod": {"maxConcurrency": 2}})
    stack.provision()
    async with FairQueue(stack.emulator.url, stack.document["queue"]["name"]) as queue:
        stack.document["aws"]["endpointUrl"] = queue.url
        stack.config_file = stack._write(stack.document)
        # processes are waited for in threads: the queue answers in this one
        for start in (stack.web_server, stack.gateway, stack.dispatcher):
            await asyncio.to_thread(start)
        api = Client(stack, http)
        noisy = [await api.submit(headers={"X-Tenant": "noisy"}, query="?hold") for _ in range(NOISY)]
        await asyncio.to_thread(wait_until, "the container to be full", lambda: len(stack.started()) == 2)
        quiet = [await api.submit(headers={"X-Tenant": "quiet"}) for _ in range(QUIET)]
        stack.let_go()
        for request_id in (*noisy, *quiet):
            assert (await api.ended(request_id))["status"] == "completed"
        await asyncio.to_thread(stack.stop)
    order = stack.started()
    assert len(order) == NOISY + QUIET
    places = [order.index(request_id) for request_id in quiet]
    if header is None:
        assert min(places) > NOISY // 2
    else:
        assert max(places) < NOISY // 2
