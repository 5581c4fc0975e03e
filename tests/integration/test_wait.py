"""A client that waits is answered when the request has ended, or when its time is over; never later."""

import asyncio
import json
from collections.abc import Callable

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack


async def test_submission_that_waits_is_answered_with_the_result(api: Client) -> None:
    async with api.http.post(
        f"{api.stack.url}?answer=7", headers={"Prefer": "respond-async, wait=60"}
    ) as response:
        document = await response.json()
        assert response.headers["Location"] == f"/{api.stack.name}/{document['id']}"
    assert (document["status"], document["result"]) == ("completed", 7)


async def test_submission_that_waits_in_vain_is_answered_as_one_that_does_not(api: Client) -> None:
    async with api.http.post(
        f"{api.stack.url}?status=503&retry_after=900", headers={"Prefer": "wait=1"}
    ) as response:
        document = await response.json()
    assert document.keys() == {"id", "status_url"}
    assert (await api.get(document["id"]))[1]["status"] in ("in_queue", "in_progress")


@pytest.mark.parametrize("query", ["?wait=60", ""])
async def test_status_is_waited_for(own_api: Client, query: str) -> None:
    request_id = await own_api.submit(query="?hold&answer=7")
    headers = {} if query else {"Prefer": "wait=60"}

    async def waited() -> str:
        async with own_api.http.get(f"{own_api.stack.url}/{request_id}{query}", headers=headers) as response:
            return str((await response.json())["status"])

    waiting = asyncio.create_task(waited())
    wait_until("the container to have it", lambda: own_api.stack.started() == [request_id])
    await asyncio.sleep(0)
    assert not waiting.done()
    own_api.stack.let_go()
    assert await waiting == "completed"


async def test_waiting_for_what_is_no_number_or_no_request_is_refused(api: Client) -> None:
    request_id = await api.submit(query="?answer=1")
    for path, status, code in [(f"{request_id}?wait=soon", 400, "invalid_wait"), ("x?wait=9", 404, "unknown_id")]:
        async with api.http.get(f"{api.stack.url}/{path}") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (status, code)


async def test_gateway_that_stops_answers_those_who_wait(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.provision()
    gateway = stack.gateway()
    request_id = await Client(stack, http).submit()
    answers = [asyncio.create_task(http.get(f"{stack.url}/{request_id}?wait=300").__aenter__()) for _ in range(20)]
    await asyncio.sleep(1)
    assert not any(answer.done() for answer in answers)
    assert await asyncio.to_thread(gateway.stop) == 0
    for answer in await asyncio.gather(*answers):
        assert json.loads(await answer.read())["status"] == "in_queue"
