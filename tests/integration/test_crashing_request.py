"""One request that kills its container, or its whole pod, each time: no other one fails for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from support.stack import Client, Stack

GOOD = 40


@asynccontextmanager
async def beside(repeated: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do that again and again meanwhile."""

    async def repeat() -> None:
        while True:
            await repeated()
            await asyncio.sleep(0.02)

    task = asyncio.create_task(repeat())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def submitted(client: Client, culprit: str) -> tuple[str, list[str]]:
    """Submit the culprit in the middle of good ones."""
    good = [await client.submit(query="?sleep=0.5&answer=1") for _ in range(GOOD // 2)]
    culprit_id = await client.submit(query=culprit)
    good += [await client.submit(query="?sleep=0.5&answer=1") for _ in range(GOOD // 2)]
    return culprit_id, good


async def only_the_culprit_fails(client: Client, culprit: str, good: list[str], code: str) -> None:
    documents = await asyncio.gather(*[client.ended(each, within=120) for each in (culprit, *good)])
    assert [document["status"] for document in documents] == ["failed"] + ["completed"] * GOOD
    assert documents[0]["error"]["code"] == code
    assert documents[0]["error"]["attempts"] == 3
    assert client.stack.dead_letters() == 1


@pytest.mark.parametrize("slots", [31, 8])
async def test_container_that_one_request_kills(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession, slots: int
) -> None:
    stack = make_stack({"pod": {"maxConcurrency": slots}})
    stack.all()
    client = Client(stack, http)

    async def restart() -> None:
        if not stack.latest("web").is_running():
            await asyncio.to_thread(stack.web_server)

    async with beside(restart):
        culprit, good = await submitted(client, "?sleep=0.4&crash")
        await only_the_culprit_fails(client, culprit, good, "connection_broken")


async def test_pod_that_one_request_kills(make_stack: Callable[..., Stack], http: aiohttp.ClientSession) -> None:
    stack = make_stack({"pod": {"maxConcurrency": 16}, "queue": {"visibilityTimeoutSeconds": 3}})
    stack.all()
    client = Client(stack, http)
    culprit, good = await submitted(client, "?sleep=600")
    deaths = 0

    async def die_of_it() -> None:
        nonlocal deaths
        if stack.started().count(culprit) > deaths:
            deaths += 1
            stack.latest("dispatcher").kill()
            stack.latest("web").kill()
            await asyncio.to_thread(stack.web_server)
            await asyncio.to_thread(stack.dispatcher)

    async with beside(die_of_it):
        await only_the_culprit_fails(client, culprit, good, "attempts_exhausted")
