"""One request that kills its container, or its whole pod, each time: no other one fails for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from support.stack import Client, Stack

GOOD = 40


@asynccontextmanager
async def restarting(stack: Stack, *, whole_pod: bool) -> AsyncIterator[None]:
    """Start the web server again whenever it has ended; with `whole_pod` the dispatcher dies with it."""

    async def restart() -> None:
        while True:
            if not stack.latest("web").is_running():
                if whole_pod:
                    stack.latest("dispatcher").kill()
                await asyncio.to_thread(stack.web_server)
                if whole_pod:
                    await asyncio.to_thread(stack.dispatcher)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(restart())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("slots", [31, 8])
async def test_container_that_one_request_kills(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession, slots: int
) -> None:
    stack = make_stack({"pod": {"maxConcurrency": slots}})
    stack.all()
    await only_the_culprit_fails(Client(stack, http), "connection_broken", whole_pod=False)


async def test_pod_that_one_request_kills(make_stack: Callable[..., Stack], http: aiohttp.ClientSession) -> None:
    stack = make_stack({"pod": {"maxConcurrency": 16}, "queue": {"visibilityTimeoutSeconds": 3}})
    stack.all()
    await only_the_culprit_fails(Client(stack, http), "attempts_exhausted", whole_pod=True)


async def only_the_culprit_fails(client: Client, code: str, *, whole_pod: bool) -> None:
    async with restarting(client.stack, whole_pod=whole_pod):
        ids = [await client.submit(query="?sleep=0.5&answer=1") for _ in range(GOOD // 2)]
        culprit = await client.submit(query="?sleep=0.4&crash")
        ids += [await client.submit(query="?sleep=0.5&answer=1") for _ in range(GOOD // 2)]
        documents = await asyncio.gather(*[client.ended(each, within=120) for each in (culprit, *ids)])
    assert [document["status"] for document in documents] == ["failed"] + ["completed"] * GOOD
    assert documents[0]["error"]["code"] == code
    assert documents[0]["error"]["attempts"] == 3
    assert client.stack.dead_letters() == 1
