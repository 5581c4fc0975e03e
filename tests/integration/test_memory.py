"""Memory does not follow the number of large payloads and results that come at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from support.processes import Process, wait_until
from support.stack import Client, Stack

MIB = 2**20
AT_ONCE = 24
SIZE = 6 * MIB


def peak_mib(process: Process) -> float:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux tells no peak")


async def slowly() -> AsyncIterator[bytes]:
    """So that all are under way at once."""
    for _ in range(SIZE // 65_536):
        yield bytes(65_536)
        await asyncio.sleep(0.01)


async def test_many_large_payloads_at_once_take_little_memory(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.provision()
    gateway = stack.gateway()
    before = peak_mib(gateway)

    async def upload() -> int:
        async with http.post(stack.url, data=slowly()) as response:
            await response.read()
            return response.status

    assert await asyncio.gather(*[upload() for _ in range(AT_ONCE)]) == [200] * AT_ONCE
    grown = peak_mib(gateway) - before
    assert grown < 110, f"{grown:.0f} MiB for {AT_ONCE} payloads of {SIZE / MIB:.0f} MiB"


async def test_many_large_results_at_once_take_little_memory(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack({"pod": {"maxConcurrency": AT_ONCE}})
    stack.all()
    dispatcher = stack.latest("dispatcher")
    before = peak_mib(dispatcher)
    client = Client(stack, http)

    ids = [await client.submit(b"{}", query=f"?hold&fill={SIZE}") for _ in range(AT_ONCE)]
    wait_until("all to be in hand", lambda: len(stack.started()) == AT_ONCE)
    stack.let_go()
    for request_id in ids:
        assert (await client.ended(request_id))["result"] == "x" * SIZE
    grown = peak_mib(dispatcher) - before
    assert grown < 130, f"{grown:.0f} MiB for {AT_ONCE} results of {SIZE / MIB:.0f} MiB"
