"""A cancelled request never runs from the queue, and loses its connection to the container; it has no result."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack

HOOK = {"pod": {"cancelPath": "/cancel"}}


async def cancel(api: Client, request_id: str) -> tuple[int, dict[str, Any]]:
    async with api.http.delete(f"{api.stack.url}/{request_id}") as response:
        return response.status, await response.json()


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """With a container and a gateway; no dispatcher yet, so that requests wait."""
    made = make_stack(HOOK)
    made.provision()
    made.web_server()
    made.gateway()
    return made


@pytest.mark.parametrize("size", [2, 300_000])
async def test_a_request_in_the_queue_never_runs(stack: Stack, http: aiohttp.ClientSession, size: int) -> None:
    api = Client(stack, http)
    kept, dropped = await api.submit(bytes(size)), await api.submit(bytes(size))
    status, document = await cancel(api, dropped)
    assert (status, document) == (202, {"id": dropped, "status": "cancelled"})
    assert await cancel(api, dropped) == (202, document)  # as who repeats a call whose answer was lost
    stack.dispatcher()
    assert (await api.ended(kept))["status"] == "completed"
    ended = await api.ended(dropped)
    assert (ended["status"], ended["attempts"], ended["error"]["code"]) == ("cancelled", 0, "cancelled")
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert stack.started() == [kept]
    assert [each for each in stack.objects() if each.endswith("/payload")] == []


async def test_a_request_that_was_just_submitted_never_runs_after_it_was_confirmed(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    """A dispatcher begins young requests without a look: the confirmation waits for that time to pass."""
    api = Client(stack, http)
    stack.dispatcher()

    async def submitted_and_cancelled() -> tuple[str, bool]:
        request_id = await api.submit(query="?sleep=0.2")
        await cancel(api, request_id)
        return request_id, request_id in stack.started()

    found = await asyncio.gather(*[submitted_and_cancelled() for _ in range(30)])
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    had_begun = {request_id for request_id, began in found if began}
    assert set(stack.started()) == had_begun


async def test_of_a_running_request_the_connection_is_closed_and_the_container_told(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    api = Client(stack, http)
    stack.dispatcher()
    dropped, kept = await api.submit(query="?hold"), await api.submit(query="?hold")
    wait_until("both to run", lambda: set(stack.started()) == {kept, dropped})
    assert (await cancel(api, dropped))[0] == 202
    assert (await api.get(dropped))[1]["status"] == "cancelled"
    loop = asyncio.get_running_loop()
    began = loop.time()
    wait_until("its connection to be closed", lambda: stack.told("closed") == [dropped])
    assert loop.time() - began < 10
    wait_until("the container to be told", lambda: stack.told("cancel") == [dropped])
    stack.let_go()
    assert (await api.ended(kept))["status"] == "completed"
    assert (await api.get(dropped))[1]["status"] == "cancelled"
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))


async def test_a_result_that_comes_after_the_cancellation_is_dropped(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    api = Client(stack, http)
    stack.dispatcher()
    request_id = await api.submit(query="?hold")
    wait_until("it to run", lambda: stack.started() == [request_id])
    assert (await cancel(api, request_id))[0] == 202
    stack.let_go()
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert (await api.get(request_id))[1]["status"] == "cancelled"


async def test_a_request_that_has_ended_cannot_be_cancelled(api: Client) -> None:
    for query in ("?answer=1", "?status=418"):
        request_id = await api.submit(query=query)
        before = await api.ended(request_id)
        status, document = await cancel(api, request_id)
        assert (status, document["error"]["code"]) == (409, "ended")
        assert (await api.get(request_id))[1] == before


async def test_what_is_no_request_cannot_be_cancelled(api: Client) -> None:
    status, document = await cancel(api, "none")
    assert (status, document["error"]["code"]) == (404, "unknown_id")


async def test_a_client_that_waits_is_told(stack: Stack, http: aiohttp.ClientSession) -> None:
    api = Client(stack, http)
    request_id = await api.submit()

    async def waited() -> str:
        async with http.get(f"{stack.url}/{request_id}?wait=60") as response:
            return str((await response.json())["status"])

    waiting = asyncio.create_task(waited())
    await cancel(api, request_id)
    assert await waiting == "cancelled"
