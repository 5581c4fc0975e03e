"""What a container reports of a request is in its status, and who follows the request is told of every change."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack


def reporting(*documents: Any) -> str:
    return f"?hold&progress={quote(json.dumps(documents))}"


async def shown(api: Client, request_id: str, **expected: Any) -> None:
    """Look until the status shows that."""
    document: dict[str, Any] = {}
    while not expected.items() <= document.items():
        _, document = await api.get(request_id)
        await asyncio.sleep(0.05)
    assert document["status"] == "in_progress"


async def test_the_last_report_is_in_the_status_until_the_end(own_api: Client) -> None:
    stack = own_api.stack
    many = [{"progress": step / 100, "message": f"step {step} 🙂"} for step in range(50)]
    request_id = await own_api.submit(query=reporting(*many))
    await asyncio.wait_for(shown(own_api, request_id, progress=0.49, message="step 49 🙂"), 60)
    assert len(stack.told("report-202")) == 50
    stack.let_go()
    document = await own_api.ended(request_id)
    assert document["status"] == "completed"
    assert not {"progress", "message"} & document.keys()


@pytest.mark.parametrize(
    "report",
    [{}, [], {"progress": 1.5}, {"progress": "half"}, {"message": 1}, {"message": "x" * 1001}, {"other": 1}],
    ids=str,
)
async def test_what_is_no_report_is_refused(own_api: Client, report: Any) -> None:
    await own_api.submit(query=reporting(report))
    wait_until("the answer", lambda: own_api.stack.told("report-400"))


async def test_a_report_of_another_request_is_refused(own_api: Client) -> None:
    url = f"http://127.0.0.1:{own_api.stack.admin_port}/progress/none"
    async with own_api.http.post(url, json={"progress": 0.5}) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "not_in_progress")


async def events(response: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix(b"data: ")) async for line in response.content if line.startswith(b"data: ")
    ]


async def test_a_stream_tells_every_change_and_ends_with_the_request(own_api: Client) -> None:
    request_id = await own_api.submit(query=reporting({"progress": 0.5}))
    async with own_api.http.get(f"{own_api.stack.url}/{request_id}?stream=1") as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        found = []
        async for line in response.content:
            if line.startswith(b"data: "):
                found.append(json.loads(line.removeprefix(b"data: ")))
                if found[-1].get("progress") == 0.5:
                    own_api.stack.let_go()
    statuses = [each["status"] for each in found]
    assert statuses == sorted(statuses, key=["in_queue", "in_progress", "completed"].index)
    assert statuses[-1] == "completed"
    assert 0.5 in [each.get("progress") for each in found]
    assert all(each["id"] == request_id and "result" not in each for each in found)
    assert found == [each for index, each in enumerate(found) if index == 0 or each != found[index - 1]]


async def test_a_stream_of_what_is_no_request_is_refused(api: Client) -> None:
    async with api.http.get(f"{api.stack.url}/x?stream=1") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "unknown_id")


async def test_a_gateway_that_stops_ends_its_streams(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.provision()
    gateway = stack.gateway()
    request_id = await Client(stack, http).submit()
    async with http.get(f"{stack.url}/{request_id}?stream=1") as response:
        reading = asyncio.create_task(events(response))
        assert await asyncio.to_thread(gateway.stop) == 0
        assert [each["status"] for each in await reading] == ["in_queue"]
