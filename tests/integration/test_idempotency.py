"""Submitting again under one Idempotency-Key: the same id from any gateway, and it runs exactly once."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from support.processes import free_port, wait_until
from support.stack import BUCKET, Client, Stack

MakeStack = Callable[..., Stack]


async def submitted(api: Client, key: str, payload: bytes = b"{}", query: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key}
    headers["Connection"] = "close"  # a test ends a gateway
    async with api.http.post(f"{api.stack.url}{query}", data=payload, headers=headers) as response:
        document = await response.json()
        if response.status == 200:
            assert response.headers["X-Cortex-Request-ID"] == document["id"]
        return response.status, document


@pytest.mark.parametrize("size", [2, 300_000])
async def test_many_submissions_at_once_are_one_request(own_api: Client, size: int) -> None:
    """Of payloads in the message, and of those in the bucket."""
    payload = os.urandom(size)
    answers = await asyncio.gather(*[submitted(own_api, "k", payload, "?sleep=1") for _ in range(20)])
    assert {status for status, _ in answers} == {200}
    (request_id,) = {document["id"] for _, document in answers}
    assert (await own_api.ended(request_id))["result"]["size"] == size
    _, again = await submitted(own_api, "k", payload, "?sleep=1")
    assert again["id"] == request_id
    wait_until("an empty queue", lambda: own_api.stack.queue_depth() == (0, 0))
    assert own_api.stack.started() == [request_id]
    assert own_api.stack.dead_letters() == 0


async def test_resubmission_runs_once_with_several_pods(own_api: Client) -> None:
    """A pod has the request when its second message comes, and another pod takes that."""
    _, first = await submitted(own_api, "k", query="?hold")
    wait_until("the container to have it", lambda: own_api.stack.started() == [first["id"]])
    own_api.stack.dispatcher()
    for _ in range(10):
        assert (await submitted(own_api, "k", query="?hold"))[1] == first
    own_api.stack.let_go()
    assert (await own_api.ended(first["id"]))["status"] == "completed"
    wait_until("an empty queue", lambda: own_api.stack.queue_depth() == (0, 0))
    assert own_api.stack.started() == [first["id"]]


@pytest.mark.parametrize("size", [2, 300_000])
async def test_first_try_that_died_before_it_queued_the_request_is_made_good(
    make_stack: MakeStack, http: aiohttp.ClientSession, size: int
) -> None:
    """A claim whose request never got on the queue: as a gateway leaves it that is killed in between.

    A large payload it leaves too, which goes with the one of the submission that was queued.
    """
    payload = bytes(size)
    api = Client(make_stack(), http)
    api.stack.all()
    _, first = await submitted(api, "k", payload, "?answer=1")
    await api.ended(first["id"])
    (claim,) = [key for key in api.stack.objects(full=True) if key.endswith("/claim")]
    s3 = api.stack.emulator.client("s3")
    metadata = s3.head_object(Bucket=BUCKET, Key=claim)["Metadata"]
    _, lost = await submitted(api, "other", query="?answer=1")  # an id that nothing was queued under by this key
    await api.ended(lost["id"])
    for what in ("result", "begun"):
        (key,) = [key for key in api.stack.objects(full=True) if key.endswith(f"{first['id']}/{what}")]
        s3.delete_object(Bucket=BUCKET, Key=key)
    assert metadata["id"] == first["id"]
    if size > 2:
        s3.put_object(Bucket=BUCKET, Key=key.replace("/begun", "/payload"), Body=payload)
    _, again = await submitted(api, "k", payload, "?answer=1")
    assert again["id"] == first["id"]
    assert (await api.ended(first["id"]))["result"] == 1
    wait_until("an empty queue", lambda: api.stack.queue_depth() == (0, 0))
    assert not [key for key in api.stack.objects(full=True) if key.endswith("/payload")]


async def test_another_gateway_gives_the_same_id(own_api: Client) -> None:
    _, first = await submitted(own_api, "k", query="?answer=1")
    own_api.stack.latest("gateway").kill()
    own_api.stack.gateway()
    assert (await submitted(own_api, "k", query="?answer=1"))[1] == first


@pytest.mark.parametrize("size", [2, 300_000])
async def test_another_content_under_the_same_key_is_refused(api: Client, size: int) -> None:
    key = f"of {free_port()}"
    first = bytes(size)
    assert (await submitted(api, key, first))[0] == 200
    for payload, query in ((first + b"x", ""), (first, "?answer=1")):
        status, document = await submitted(api, key, payload, query)
        assert (status, document["error"]["code"]) == (422, "idempotency_key_reused")


async def test_key_that_is_no_key_is_refused(api: Client) -> None:
    for key in ("", "x" * 256):
        status, document = await submitted(api, key)
        assert (status, document["error"]["code"]) == (400, "invalid_idempotency_key")
