"""Every row of the table "What happens to a request" (design.md), with real processes."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from support.processes import wait_until
from support.stack import Client, Stack

MakeStack = Callable[..., Stack]


async def failed(api: Client, query: str) -> dict[str, Any]:
    """Submit, and return the error that the request ends in."""
    document = await api.ended(await api.submit(b"{}", query=query))
    assert document["status"] == "failed", document
    assert "result" not in document
    return dict(document["error"])


async def test_success_is_completed_with_a_time(api: Client) -> None:
    request_id = await api.submit(b"{}", query="?answer=7")
    document = await api.ended(request_id)
    timestamp = document["timestamp"]
    assert (document["id"], document["status"], document["result"]) == (request_id, "completed", 7)
    assert timestamp.startswith("20")
    assert timestamp.endswith("+00:00")


@pytest.mark.parametrize(
    ("query", "excerpt"),
    [
        ("?answer={", "not valid JSON"),
        ("?answer=NaN", "not valid JSON"),
        ("?answer=1 2", "not valid JSON"),
        ("?answer=", "not valid JSON"),
        ("?answer=hello&type=text/plain", "text/plain"),
        ("?status=204", "Content-Type"),
    ],
)
async def test_success_that_is_not_json_is_failed_and_not_retried(api: Client, query: str, excerpt: str) -> None:
    error = await failed(api, quote(query, safe="?&=/"))
    assert error["code"] == "invalid_result"
    assert excerpt in error["message"]
    assert error["attempts"] == 1


async def test_client_error_is_failed_with_status_and_the_beginning_of_the_body(api: Client) -> None:
    error = await failed(api, f"?status=422&answer={'x' * 5000}")
    assert (error["code"], error["status_code"], error["attempts"]) == ("rejected", 422, 1)
    assert error["body"] == "x" * 4096


async def test_server_error_is_failed_and_not_retried(api: Client) -> None:
    error = await failed(api, "?status=500&answer=broken")
    assert (error["code"], error["status_code"], error["body"]) == ("server_error", 500, "broken")
    assert error["attempts"] == 1


async def test_server_error_is_retried_when_the_values_say_so(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"queue": {"retryOn": [500]}}), http)
    api.stack.all()
    result = await api.completed(b"{}", query="?status=500&once")
    assert result["attempt"] == 2


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
async def test_passing_trouble_is_retried(api: Client, status: int) -> None:
    result = await api.completed(b"{}", query=f"?status={status}&once&retry_after=0")
    assert result["attempt"] == 2


async def test_passing_trouble_that_stays_is_failed_after_the_last_attempt(api: Client) -> None:
    error = await failed(api, "?status=503&retry_after=0&answer=busy")
    assert (error["code"], error["status_code"], error["attempts"]) == ("unavailable", 503, 3)
    assert error["body"] == "busy"
    assert api.stack.dead_letters() == 0


async def test_retry_after_is_honoured(api: Client) -> None:
    begun = time.monotonic()
    result = await api.completed(b"{}", query="?status=503&once&retry_after=3")
    assert result["attempt"] == 2
    assert time.monotonic() - begun > 2.5  # unasked it would be after 1 s


async def test_broken_connection_is_retried_then_failed_and_dead_lettered(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"queue": {"maxAttempts": 2}}), http)
    api.stack.all()

    async def restart_when_it_ends() -> None:
        while True:
            if not api.stack.latest("web").is_running():
                api.stack.web_server()
            await asyncio.sleep(0.1)

    restarting = asyncio.create_task(restart_when_it_ends())
    try:
        error = await failed(api, "?crash")
    finally:
        restarting.cancel()
    assert (error["code"], error["attempts"]) == ("connection_broken", 2)
    assert len(api.stack.started()) == 2
    wait_until("the dead letter", lambda: api.stack.dead_letters() == 1)
    wait_until("an empty queue", lambda: api.stack.queue_depth() == (0, 0))


async def test_container_that_restarts_costs_no_attempt(own_api: Client) -> None:
    """Connections are refused for a while: the request waits in hand."""
    await own_api.completed(b"first")
    own_api.stack.latest("web").kill()
    request_id = await own_api.submit(b"second")
    await asyncio.sleep(1)
    own_api.stack.web_server()
    document = await own_api.ended(request_id)
    assert document["result"]["attempt"] == 1
    assert own_api.stack.started().count(request_id) == 1


async def test_request_over_its_timeout_is_failed_and_its_connection_closed(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"pod": {"requestTimeoutSeconds": 1, "maxConcurrency": 1}}), http)
    api.stack.all()
    error = await failed(api, "?sleep=60")
    assert (error["code"], error["attempts"]) == ("timeout", 1)
    for _ in range(5):  # a slow machine may need more than a second for the next one, too
        document = await api.ended(await api.submit(b"{}", query="?answer=1"))
        if document["status"] == "completed":
            break
    assert document.get("result") == 1, document


async def test_status_follows_the_request(own_api: Client) -> None:
    first = [await own_api.submit(b"{}", query="?hold&answer=1") for _ in range(4)]
    waiting = await own_api.submit(b"{}", query="?answer=2")
    wait_until("four in the container", lambda: len(own_api.stack.started()) == 4)
    wait_until("the sign of it", lambda: f"{first[0]}/in_progress" in own_api.stack.objects())
    assert (await own_api.get(first[0]))[1]["status"] == "in_progress"
    assert (await own_api.get(waiting))[1]["status"] == "in_queue"
    own_api.stack.let_go()
    for request_id in (*first, waiting):
        assert (await own_api.ended(request_id))["status"] == "completed"


async def test_storage_outage_holds_the_request_and_loses_nothing(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    """S3 and SQS stop answering while a request is being processed, and come back."""
    api = Client(make_stack(), http)
    api.stack.all()
    request_id = await api.submit(b"{}", query="?sleep=1&answer=1")
    wait_until("the request to be taken", lambda: api.stack.started() == [request_id])
    emulator = api.stack.emulator.process
    emulator.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(4)
    finally:
        emulator.signal(signal.SIGCONT)
    assert (await api.ended(request_id))["result"] == 1
    assert api.stack.started() == [request_id]


async def test_message_that_is_not_ours_goes_to_the_dead_letter_queue_and_disturbs_nothing(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"queue": {"visibilityTimeoutSeconds": 1, "maxAttempts": 1}}), http)
    api.stack.all()
    sqs = api.stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=api.stack.document["queue"]["name"])["QueueUrl"]
    secret = "somebody's secret"
    sqs.send_message(QueueUrl=url, MessageBody=secret)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"version": 1, "id": "x", "payload": {"text": secret}}))
    assert await api.completed(b"{}", query="?answer=1") == 1
    wait_until("two dead letters", lambda: api.stack.dead_letters() == 2)
    assert secret not in api.stack.latest("dispatcher").log


async def test_payload_that_was_deleted_is_a_clear_failure(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack(), http)
    api.stack.provision()
    api.stack.gateway()
    request_id = await api.submit(os.urandom(300_000))
    key = next(key for key in api.stack.objects(full=True) if key.endswith("/payload"))
    api.stack.emulator.client("s3").delete_object(Bucket="cortex-tests", Key=key)
    api.stack.web_server()
    api.stack.dispatcher()
    document = await api.ended(request_id)
    assert document["error"]["code"] == "payload_missing"


async def test_dead_letter_keeps_its_large_payload(make_stack: MakeStack, http: aiohttp.ClientSession) -> None:
    api = Client(make_stack({"queue": {"maxAttempts": 1}}), http)
    api.stack.all()
    request_id = await api.submit(os.urandom(300_000), query="?crash")
    document = await api.ended(request_id)
    assert document["error"]["code"] == "connection_broken"
    wait_until("the dead letter", lambda: api.stack.dead_letters() == 1)
    assert f"{request_id}/payload" in api.stack.objects()


async def test_nothing_that_a_client_sends_is_logged(api: Client) -> None:
    secret = "b1946ac92492d2347c6235b4d2611184"
    request_id = await api.submit(secret.encode(), {"X-Secret": secret}, f"?answer=%22{secret}%22&key={secret}")
    assert (await api.ended(request_id))["result"] == secret
    failing = await api.submit(secret.encode(), query=f"?status=422&answer={secret}")
    assert (await api.ended(failing))["error"]["body"] == secret
    for process in api.stack.processes:
        assert secret not in process.log

    def about() -> list[tuple[str, str, int]]:
        lines = [json.loads(line) for line in api.stack.latest("dispatcher").log.splitlines()]
        return [(line["message"], line["api"], line["attempt"]) for line in lines if line.get("id") == request_id]

    wait_until("the message to be deleted", lambda: len(about()) > 1)
    assert about() == [("request taken", api.stack.name, 1), ("request ended", api.stack.name, 1)]
