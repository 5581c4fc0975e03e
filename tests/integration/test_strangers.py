"""Clients that mean no good, or are too many: the gateway stays small, and serves the others."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from cortex_async.storage.s3_store import object_key
from support import raw
from support.memory_limit import MemoryLimit
from support.processes import Process
from support.stack import BUCKET, Client, Stack

MIB = 2**20
LIMIT_MIB = 128  # the chart's, and the default where there is none
MakeStack = Callable[..., Stack]


def peak_mib(process: Process) -> float:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux tells no peak")


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    made = make_stack()
    made.provision()
    made.gateway()
    return made


@asynccontextmanager
async def connected(port: int, count: int, sent: bytes) -> AsyncIterator[list[raw.Connection]]:
    """So many clients, each of which has sent that, as far as the gateway took it."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(raw.Connection(port)) for _ in range(count)]
        await asyncio.gather(*[client.send(sent) for client in clients])
        yield clients


async def is_served(stack: Stack, http: aiohttp.ClientSession) -> None:
    """An honest client gets through, if it comes back after a 503."""
    for _ in range(60):
        async with http.post(stack.url, data=b"{}") as response:
            if response.status == 200:
                return
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        await asyncio.sleep(1)
    raise AssertionError("served nobody for a minute")


async def test_unfinished_heads_take_little_memory(stack: Stack, http: aiohttp.ClientSession) -> None:
    fields = "".join(f"X-{number}: {'x' * 8000}\r\n" for number in range(100)).encode()
    head = b"POST / HTTP/1.1\r\nHost: x\r\n" + fields
    async with connected(stack.gateway_port, 300, head):
        await is_served(stack, http)
        peak = peak_mib(stack.latest("gateway"))
    assert peak < LIMIT_MIB, f"{peak:.0f} MiB"


async def test_bodies_that_go_silent_take_little_memory(stack: Stack, http: aiohttp.ClientSession) -> None:
    path = f"/{stack.name}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 250000\r\n\r\n".encode()
    async with connected(stack.gateway_port, 400, head + bytes(249_000)):
        await is_served(stack, http)
        peak = peak_mib(stack.latest("gateway"))
    assert peak < LIMIT_MIB, f"{peak:.0f} MiB"


async def test_results_that_nobody_reads_take_little_memory(stack: Stack, http: aiohttp.ClientSession) -> None:
    request_id = await Client(stack, http).submit(b"{}")
    metadata = {"status": "completed", "attempt": "1", "finished": "2026-01-01T00:00:00.000+00:00"}
    stack.emulator.client("s3").put_object(
        Bucket=BUCKET,
        Key=object_key("test", stack.name, request_id, "result"),
        Body=b'"' + b"x" * 6 * MIB + b'"',
        Metadata=metadata,
    )
    get = f"GET /{stack.name}/{request_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with connected(stack.gateway_port, 400, get):
        await asyncio.sleep(3)
        await is_served(stack, http)
        peak = peak_mib(stack.latest("gateway"))
    assert peak < LIMIT_MIB, f"{peak:.0f} MiB"


@pytest.mark.parametrize(("count", "size"), [(60, 6 * MIB), (300, 250_000)])
async def test_honest_load_fits(stack: Stack, count: int, size: int) -> None:
    async def submit(payload: bytes) -> None:
        while True:  # as an honest client does
            async with many.post(stack.url, data=io.BytesIO(payload)) as response:
                told = await response.text()
                if response.status == 200:
                    return
                assert (response.status, response.headers["Retry-After"]) == (503, "5"), told
            await asyncio.sleep(1)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as many:
        await asyncio.gather(*[submit(b"x" * size) for _ in range(count)])
    peak = peak_mib(stack.latest("gateway"))
    assert peak < LIMIT_MIB, f"{peak:.0f} MiB"


class FewDescriptors:
    """A limit for one process alone: this one may have more of them open than that."""

    def within(self, argv: list[str]) -> list[str]:
        return ["sh", "-c", 'ulimit -Sn 256; exec "$@"', "sh", *argv]


async def test_connections_at_the_limit_of_descriptors_flood_no_log(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.provision()
    stack.limits["gateway"] = cast(MemoryLimit, FewDescriptors())
    gateway = stack.gateway()
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    async with connected(stack.gateway_port, 400, get) as clients:
        answers = await asyncio.gather(*[client.answer() for client in clients], return_exceptions=True)
        await asyncio.sleep(2)
    statuses = [answer.status for answer in answers if isinstance(answer, raw.Answer)]
    assert statuses.count(200) > 50
    assert set(statuses) == {200, 503}
    assert len(gateway.log.splitlines()) < 20
    await is_served(stack, http)
