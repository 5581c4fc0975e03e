"""S3 or SQS refuse a call, or are slow: nothing is lost, and nothing is run again for it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest_asyncio

from support.aws_proxy import AwsProxy
from support.processes import Emulator, wait_until
from support.stack import Client, Stack

MakeStack = Callable[..., Stack]


@pytest_asyncio.fixture
async def aws(emulator: Emulator) -> AsyncIterator[AwsProxy]:
    async with AwsProxy(emulator.url) as proxy:
        yield proxy


async def started(stack: Stack, http: aiohttp.ClientSession) -> Client:
    await asyncio.to_thread(stack.all)
    return Client(stack, http)


async def test_large_result_that_is_refused_is_stored_once_it_is_allowed(
    make_stack: MakeStack, http: aiohttp.ClientSession, aws: AwsProxy
) -> None:
    api = await started(make_stack({"aws": {"endpointUrl": aws.url}}), http)
    aws.refused = lambda request, _: request.query_string.startswith("uploads") and aws.refusals < 2
    request_id = await api.submit(query="?fill=6000000")
    document = await api.ended(request_id)
    assert (document["status"], len(document["result"])) == ("completed", 6_000_000)
    assert (api.stack.started(), aws.refusals) == ([request_id], 2)


async def test_slow_storage_does_not_count_against_the_containers_time(
    make_stack: MakeStack, http: aiohttp.ClientSession, aws: AwsProxy
) -> None:
    changes = {"aws": {"endpointUrl": aws.url}, "pod": {"requestTimeoutSeconds": 1}}
    api = await started(make_stack(changes), http)
    aws.delay_seconds = 1.5
    aws.delayed = lambda request, _: (
        "partNumber" in request.query_string or (request.method == "GET" and request.path.endswith("/payload"))
    )
    stored = await api.submit(query="?fill=6000000")
    fetched = await api.submit(b"x" * 300_000)
    assert (await api.ended(stored))["status"] == "completed"
    assert (await api.ended(fetched))["result"]["size"] == 300_000
    echoed = await api.submit(b'"' + b"x" * 12_000_000 + b'"', query="?echo")  # fetched and stored at once
    assert len((await api.ended(echoed))["result"]) == 12_000_000
    late = await api.submit(query="?sleep=5")
    assert (await api.ended(late))["error"]["code"] == "timeout"


async def test_dead_letter_that_is_refused_is_not_lost_with_the_pod(
    make_stack: MakeStack, http: aiohttp.ClientSession, aws: AwsProxy
) -> None:
    queue = {"maxAttempts": 1, "visibilityTimeoutSeconds": 3}
    api = await started(make_stack({"aws": {"endpointUrl": aws.url}, "queue": queue}), http)

    def letter(request: aiohttp.web.Request, body: bytes) -> bool:
        return "SendMessage" in request.headers.get("X-Amz-Target", "") and b"dead-letter" in body

    aws.refused = letter
    request_id = await api.submit(query="?crash&once")
    await asyncio.to_thread(wait_until, "the letter to be refused", lambda: aws.refusals > 0)
    api.stack.latest("dispatcher").kill()
    aws.refused = lambda _request, _body: False
    await asyncio.to_thread(api.stack.web_server)
    await asyncio.to_thread(api.stack.dispatcher)
    assert (await api.ended(request_id))["status"] == "failed"
    assert (api.stack.dead_letters(), api.stack.started()) == (1, [request_id])


async def test_empty_payload_runs_though_its_headers_are_too_large_for_the_message(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_stack({"queue": {"inlineLimitBytes": 1024}})
    api = await started(stack, http)
    document = await api.ended(await api.submit(headers={"X-Large": "x" * 2000}))
    assert (document["status"], document["result"]["size"]) == ("completed", 0)


async def test_response_with_a_large_header_is_a_result(own_api: Client) -> None:
    document = await own_api.ended(await own_api.submit(query="?head=100000&answer=1"))
    assert (document["status"], document["result"]) == ("completed", 1)


async def test_what_comes_after_the_container_ceased_to_be_ready_is_given_back(own_api: Client) -> None:
    own_api.stack.latest("web").kill()
    wait_until("the probe to fail", lambda: own_api.stack.readiness()[0] == 503)
    request_id = await own_api.submit(query="?answer=1")  # an open receive may bring it
    await asyncio.sleep(1)
    wait_until("it to be given back", lambda: own_api.stack.queue_depth() == (1, 0))
    assert "request taken" not in own_api.stack.latest("dispatcher").log
    own_api.stack.web_server()
    assert (await own_api.ended(request_id))["result"] == 1
