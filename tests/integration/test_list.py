"""The requests of an API, listed from the bucket page by page."""

from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    made = make_stack({"gateway": {"list": True}, "pod": {"maxConcurrency": 20}})
    made.all()
    return made


async def listed(
    stack: Stack, http: aiohttp.ClientSession, query: Mapping[str, str], status: int = 200
) -> dict[str, Any]:
    async with http.get(stack.url, params=query) as response:
        document: dict[str, Any] = await response.json()
        assert response.status == status, document
        return document


async def test_requests_are_listed_by_status_page_by_page(stack: Stack, http: aiohttp.ClientSession) -> None:
    api = Client(stack, http)
    completed = [
        await api.submit(query="?answer=1", headers={"Idempotency-Key": f"{number}"}) for number in range(7)
    ]
    failed = [await api.submit(query="?status=418") for _ in range(2)]
    running = await api.submit(query="?hold")
    for request_id in (*completed, *failed):
        await api.ended(request_id)
    wait_until("its mark", lambda: f"{running}/in_progress" in stack.objects())
    cancelled = await api.submit(query="?status=503&retry_after=900")
    async with http.delete(f"{stack.url}/{cancelled}") as response:
        assert response.status == 202
    found = (await listed(stack, http, {}))["requests"]
    assert {each["id"] for each in found} == {*completed, *failed, running, cancelled}
    for each in found:
        _, document = await api.get(each["id"])
        assert each == {name: value for name, value in document.items() if name not in ("result", "error")}
    for status, expected in (("completed", completed), ("failed", failed), ("in_progress", [running])):
        page = await listed(stack, http, {"status": status})
        assert ({each["id"] for each in page["requests"]}, page["cursor"]) == (set(expected), None)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await listed(
            stack, http, {"status": "completed", "limit": "3"} | ({"cursor": cursor} if cursor else {})
        )
        assert len(page["requests"]) <= 3
        seen += [each["id"] for each in page["requests"]]
        cursor = page["cursor"]
    assert sorted(seen) == sorted(completed)
    stack.let_go()


async def test_more_requests_than_s3_lists_at_once(stack: Stack, http: aiohttp.ClientSession) -> None:
    api = Client(stack, http)
    ids = [await api.submit(query="?answer=1", headers={"Idempotency-Key": f"{number}"}) for number in range(600)]
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))  # 1,200 objects of them, and 600 claims
    page = await listed(stack, http, {"limit": "1000"})
    assert ({each["id"] for each in page["requests"]}, page["cursor"]) == (set(ids), None)


async def test_a_list_of_nothing_that_there_is_is_refused(stack: Stack, http: aiohttp.ClientSession) -> None:
    for query in ({"status": "lost"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "all"}, {"cursor": "none"}):
        assert (await listed(stack, http, query, 400))["error"]["code"] == "invalid_list"


async def test_without_the_setting_there_is_no_list(api: Client) -> None:
    async with api.http.get(api.stack.url) as response:
        assert response.status == 405
