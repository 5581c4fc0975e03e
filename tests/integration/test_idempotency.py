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


async def test_requests_of_several_messages_survive_the_end_of_their_pod(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    """The pod gives all messages back, and another receives those first that the requests have not begun by."""
    api = Client(make_stack({"pod": {"maxConcurrency": 16, "terminationGracePeriodSeconds": 8}}), http)
    stack = api.stack
    stack.provision()
    stack.web_server()
    stack.gateway()
    keys = [f"k{number}" for number in range(8)]
    query = "?sleep=30&once&answer=1"
    ids = [(await submitted(api, key, query=query))[1]["id"] for key in keys]
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    first_messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    for key in keys:
        await submitted(api, key, query=query)
    dispatcher = stack.dispatcher()
    wait_until("the container to have them", lambda: set(stack.started()) == set(ids))
    for each in first_messages:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)
    wait_until("all messages", lambda: dispatcher.log.count("delivered again while in flight") == 8)
    assert await asyncio.to_thread(dispatcher.stop) == 0
    assert stack.queue_depth() == (16, 0)
    stack.dispatcher()
    assert [(await api.ended(each))["result"] for each in ids] == [1] * 8
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert sorted(stack.started()) == sorted(ids * 2)


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
