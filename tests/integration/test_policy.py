"""What a client asks for one request by headers, within what the values allow."""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack


async def refused(api: Client, headers: Mapping[str, str]) -> str:
    async with api.http.post(api.stack.url, headers=headers) as response:
        assert response.status == 400
        return str((await response.json())["error"]["code"])


async def test_request_may_ask_for_a_shorter_timeout(api: Client) -> None:
    request_id = await api.submit(query="?sleep=60", headers={"X-Cortex-Timeout-Seconds": "1"})
    document = await api.ended(request_id)
    assert (document["status"], document["error"]["code"]) == ("failed", "timeout")


async def test_request_may_ask_for_fewer_attempts(api: Client) -> None:
    request_id = await api.submit(query="?status=503", headers={"X-Cortex-Max-Attempts": "1"})
    document = await api.ended(request_id)
    assert (document["error"]["code"], document["error"]["attempts"]) == ("unavailable", 1)


@pytest.mark.parametrize("size", [2, 300_000])
async def test_request_that_does_not_begin_in_time_expires(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession, size: int
) -> None:
    stack = make_stack()
    stack.provision()
    stack.web_server()
    stack.gateway()
    api = Client(stack, http)
    late = await api.submit(bytes(size), headers={"X-Cortex-TTL-Seconds": "1"})
    patient = await api.submit(bytes(size), headers={"X-Cortex-TTL-Seconds": "600"})
    submitted = time.monotonic()
    wait_until("its time to be over", lambda: time.monotonic() > submitted + 1)
    stack.dispatcher()
    document = await api.ended(late)
    assert (document["status"], document["error"]["code"], document["attempts"]) == ("expired", "expired", 0)
    assert (await api.ended(patient))["status"] == "completed"
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert stack.started() == [patient]
    assert stack.objects().count(f"{late}/payload") == 0


async def test_request_may_ask_for_a_later_start(api: Client) -> None:
    document: dict[str, Any] = await api.ended(await api.submit(headers={"X-Cortex-Delay-Seconds": "2"}))
    created, started = (datetime.fromisoformat(document[name]) for name in ("created_at", "started_at"))
    assert (started - created).total_seconds() > 1.9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Cortex-Timeout-Seconds", "0"),
        ("X-Cortex-Timeout-Seconds", "43201"),
        ("X-Cortex-Timeout-Seconds", "1.5"),
        ("X-Cortex-TTL-Seconds", "604801"),
        ("X-Cortex-Max-Attempts", "4"),
        ("X-Cortex-Delay-Seconds", "901"),
        ("X-Cortex-Delay-Seconds", "-1"),
    ],
)
async def test_what_the_values_do_not_allow_is_refused(api: Client, name: str, value: str) -> None:
    assert await refused(api, {name: value}) == "invalid_policy"


async def test_tenants_are_told_apart_for_fair_queues(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    """SQS does the sharing out, by the message group; the emulator only keeps it."""
    stack = make_stack({"queue": {"fairnessHeader": "X-Tenant"}})
    stack.provision()
    stack.gateway()
    api = Client(stack, http)
    expected = {
        await api.submit(headers={"X-Tenant": "a"}): "a",
        await api.submit(headers={"X-Tenant": "b"}): "b",
        await api.submit(headers={"X-Tenant": "a", "X-Cortex-Delay-Seconds": "1"}): "a",
        await api.submit(): None,
    }
    odd = await api.submit(headers={"X-Tenant": "two words"})
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    found: dict[str, Any] = {}
    while len(found) < 5:
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"], WaitTimeSeconds=2
        )
        for each in received.get("Messages", ()):
            found[json.loads(each["Body"])["id"]] = each.get("Attributes", {}).get("MessageGroupId")
    assert re.fullmatch("[0-9a-f]{32}", found.pop(odd))
    assert found == expected


async def test_delay_is_refused_where_the_queue_is_fifo(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    sqs = stack.emulator.client("sqs")
    url = sqs.create_queue(QueueName=f"{stack.name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    stack.document["queue"]["url"] = url
    stack.config_file = stack._write(stack.document)
    stack.gateway()
    assert await refused(Client(stack, http), {"X-Cortex-Delay-Seconds": "1"}) == "delay_not_supported"
