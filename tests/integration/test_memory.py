"""Memory does not follow the number of large payloads that come at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from support.processes import Process
from support.stack import Stack

MIB = 2**20
UPLOADS = 24
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

    assert await asyncio.gather(*[upload() for _ in range(UPLOADS)]) == [200] * UPLOADS
    grown = peak_mib(gateway) - before
    assert grown < 110, f"{grown:.0f} MiB for {UPLOADS} payloads of {SIZE / MIB:.0f} MiB"
