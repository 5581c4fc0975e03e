"""The twelve known faults of the original (async-api.md, section 4): none of them exists here."""

import asyncio
import os
import signal
from collections.abc import Callable

import aiohttp
import pytest

from chart.helm_cli import Helm, minimal
from chart.objects import api_pod
from cortex_async_tools.chart import helm
from support.processes import wait_until
from support.stack import Client, Stack

MakeStack = Callable[..., Stack]


async def test_fault_01_work_in_hand_is_dropped_on_sigterm(own_api: Client) -> None:
    request_id = await own_api.submit(query="?sleep=2&answer=1")
    wait_until("the request to be taken", lambda: own_api.stack.started() == [request_id])
    dispatcher = own_api.stack.latest("dispatcher")
    dispatcher.signal(signal.SIGTERM)
    document = await own_api.ended(request_id)
    assert (document["status"], document["result"]) == ("completed", 1)
    assert await asyncio.to_thread(dispatcher.wait) == 0
    assert own_api.stack.queue_depth() == (0, 0)


async def test_fault_02_a_crash_hides_the_message_for_as_long_as_it_was_processed(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"queue": {"visibilityTimeoutSeconds": 6}}), http)
    api.stack.all()
    request_id = await api.submit(query="?sleep=600&once&answer=1")
    wait_until("the request to be taken", lambda: api.stack.started() == [request_id])
    await asyncio.sleep(14)  # the heartbeat keeps it meanwhile
    assert api.stack.queue_depth() == (0, 1)
    api.stack.latest("dispatcher").kill()
    await asyncio.to_thread(api.stack.dispatcher)
    # Extended by what had elapsed it would stay hidden for 14 s; one visibility timeout is promised.
    wait_until("the second start", lambda: len(api.stack.started()) == 2, timeout=6 + 6)
    assert (await api.ended(request_id))["result"] == 1


async def test_fault_03_a_crash_of_the_container_fails_the_request(own_api: Client) -> None:
    request_id = await own_api.submit(query="?crash&once&sleep=0.1&answer=1")
    web = own_api.stack.latest("web")
    assert await asyncio.to_thread(web.wait) == 17
    own_api.stack.web_server()
    document = await own_api.ended(request_id)
    assert (document["status"], document["result"]) == ("completed", 1)


async def test_fault_04_the_payload_is_deleted_though_the_result_was_not_stored(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"queue": {"visibilityTimeoutSeconds": 6}}), http)
    api.stack.all()
    request_id = await api.submit(os.urandom(400_000), query="?sleep=1")
    wait_until("the request to be taken", lambda: api.stack.started() == [request_id])
    emulator = api.stack.emulator.process
    emulator.signal(signal.SIGSTOP)
    try:
        wait_until("the container's answer", lambda: api.stack.ended() == [request_id])
        await asyncio.sleep(0.5)
        api.stack.latest("dispatcher").kill()
    finally:
        emulator.signal(signal.SIGCONT)
    await asyncio.to_thread(api.stack.dispatcher)
    document = await api.ended(request_id)
    assert (document["status"], document["result"]["size"]) == ("completed", 400_000)


async def test_fault_05_one_error_of_a_receive_ends_the_process(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"pod": {"terminationGracePeriodSeconds": 6}}), http)  # receives of 1 s
    api.stack.all()
    dispatcher = api.stack.latest("dispatcher")
    sqs = api.stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=api.stack.document["queue"]["name"])["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    wait_until("receives to fail", lambda: dispatcher.log.count("could not receive") >= 2)
    api.stack.provision()
    assert dispatcher.is_running()
    assert await api.completed(query="?answer=1") == 1


async def test_fault_06_a_request_into_an_idle_api_waits_ten_seconds(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"pod": {"terminationGracePeriodSeconds": 6}}), http)  # receives of 1 s
    api.stack.all()
    await asyncio.sleep(2.5)  # two of them have come back empty
    request_id = await api.submit(query="?answer=1")
    wait_until("the request to be taken", lambda: api.stack.started() == [request_id], timeout=5)


async def test_fault_07_an_accepted_request_answers_404_or_500(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack(), http)
    api.stack.provision()
    api.stack.gateway()
    ids = await asyncio.gather(*[api.submit(query="?answer=1") for _ in range(50)])
    for request_id in ids:
        status, document = await api.get(request_id)
        assert (status, document["id"], document["status"]) == (200, request_id, "in_queue")


def test_fault_08_the_queue_is_of_the_kind_that_is_capped_at_300_requests_a_second(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.provision()
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    capped = sqs.create_queue(QueueName=f"{stack.name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    with pytest.raises(sqs.exceptions.ClientError, match="MessageGroupId"):  # such a queue wants a message group
        sqs.send_message(QueueUrl=capped, MessageBody="x")
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=900)
    assert "FifoQueue" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


async def test_fault_09_results_that_are_no_objects_break_and_large_integers_lose_digits(api: Client) -> None:
    for result in ("[1,2]", "7", "null", "12345678901234567890123", "0.10"):
        request_id = await api.submit(query=f"?answer={result}")
        await api.ended(request_id)
        async with api.http.get(f"{api.stack.url}/{request_id}") as response:
            assert (await response.text()).endswith(f'"result": {result}}}')


def test_fault_10_user_containers_run_privileged() -> None:
    for container in api_pod(Helm(helm.locate()).template(minimal()))["containers"]:
        context = container.get("securityContext", {})
        assert not context.get("privileged")
        assert context["allowPrivilegeEscalation"] is False


async def test_fault_11_failed_carries_no_reason(api: Client) -> None:
    document = await api.ended(await api.submit(query="?status=422&answer=too%20long"))
    assert document["status"] == "failed"
    assert document["error"] == {
        "code": "rejected",
        "message": "the container answered 422; 200 is expected",
        "attempts": 1,
        "status_code": 422,
        "body": "too long",
    }


@pytest.mark.parametrize("query", ["?a=1&a=2", "?text=a%20b%26c", "?flag"])
async def test_fault_12_query_strings_are_dropped(api: Client, query: str) -> None:
    assert (await api.completed(query=query))["query"] == query[1:]
