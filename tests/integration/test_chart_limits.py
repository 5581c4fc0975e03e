"""The memory limits of the chart hold under the worst honest load: in a cgroup if possible, else by the peak."""

import asyncio
import io
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from support.memory_limit import MemoryLimit, chart_limit, memory_limit, peak_mib
from support.processes import wait_until
from support.stack import Client, Stack

MIB = 2**20
SIZE = 6 * MIB
PAYLOADS = 60
RESULTS = 100
MakeLimited = Callable[[str], Stack]


@pytest.fixture
def make_limited(make_stack: Callable[..., Stack]) -> Iterator[MakeLimited]:
    """Make stacks of which one part has the chart's limit, which is judged at the end."""
    limits: list[tuple[str, Stack, MemoryLimit | None]] = []

    def make(part: str) -> Stack:
        stack = make_stack({"pod": {"maxConcurrency": RESULTS}})
        limit = stack.within.enter_context(memory_limit(chart_limit(part)))
        if limit is not None:
            stack.limits[part] = limit
        limits.append((part, stack, limit))
        return stack

    yield make
    for part, stack, limit in limits:
        assert limit is None or limit.kills == 0, f"the {part} was killed at its memory limit"
        assert peak_mib(stack.latest(part).pid) < chart_limit(part) / MIB


async def test_gateway_bears_60_payloads_of_6_mb_at_once(make_limited: MakeLimited) -> None:
    stack = make_limited("gateway")
    stack.provision()
    stack.gateway()

    async def submit() -> None:
        while True:  # as an honest client does
            async with http.post(stack.url, data=io.BytesIO(bytes(SIZE))) as response:
                await response.read()
                if response.status == 200:
                    return
                assert (response.status, response.headers["Retry-After"]) == (503, "5")
            await asyncio.sleep(1)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*[submit() for _ in range(PAYLOADS)])


async def test_dispatcher_bears_100_results_of_6_mb_at_once(
    make_limited: MakeLimited, http: aiohttp.ClientSession
) -> None:
    stack = make_limited("dispatcher")
    stack.all()
    client = Client(stack, http)
    ids = await asyncio.gather(*[client.submit(b"{}", query=f"?hold&fill={SIZE}") for _ in range(RESULTS)])
    await asyncio.to_thread(wait_until, "all to be in hand", lambda: len(stack.started()) == RESULTS)
    stack.let_go()
    for request_id in ids:
        assert (await client.ended(request_id, within=120))["status"] == "completed"
