"""Answers of S3 and SQS that break, or tell of a passing failure in an unusual way, from a server that does so."""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import S3, Upload
from cortex_async.aws.sqs import Sqs
from cortex_async.backoff import PERSISTENT, SINGLE_TRY, RetryPolicy
from cortex_async.config import AwsConfig, parse
from cortex_async.errors import AwsUnavailable, ObjectMissing
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from cortex_async.queue.sqs_queue import SqsQueue
from cortex_async.request_id import RequestIds
from cortex_async.storage.s3_store import S3Store
from support.api_document import api_document
from support.processes import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ServeAws = Callable[[Handler], Awaitable[AwsSession]]
Serve = Callable[..., Awaitable[S3]]
RESULT = b'"' + b"x" * 200_000 + b'"'
API = api_document({"name": "api", "gateway": {"endpoint": "/api", "maxPayloadMiB": 1}})
METADATA = {
    "x-amz-meta-status": "completed",
    "x-amz-meta-attempt": "1",
    "x-amz-meta-finished": "2026-01-01T00:00:00.000+00:00",
}


@pytest_asyncio.fixture
async def serve_aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServeAws]:
    """Start a server that answers every call as told, in the place of AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    runners: list[web.AppRunner] = []
    sessions: list[AwsSession] = []

    async def start(handler: Handler) -> AwsSession:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None)
        runners.append(runner)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        session = AwsSession(AwsConfig("us-west-2", f"http://127.0.0.1:{port}"))
        sessions.append(session)
        return session

    yield start
    for session in sessions:
        await session.http.close()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def serve(serve_aws: ServeAws) -> Serve:
    """The same, and give a bucket on it."""

    async def start(handler: Handler, policy: RetryPolicy = PERSISTENT) -> S3:
        return S3(await serve_aws(handler), "bucket", policy)

    return start


def breaking(after: int) -> Handler:
    """Send at most so many bytes of RESULT with each answer, then break the connection."""

    async def handler(request: web.Request) -> web.StreamResponse:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        response = web.StreamResponse(status=206 if start else 200, headers=METADATA)
        response.content_length = len(RESULT) - start
        await response.prepare(request)
        await response.write(RESULT[start : start + after])
        assert request.transport is not None
        request.transport.close()
        return response

    return handler


async def test_read_that_breaks_is_taken_up_where_it_broke(serve: Serve) -> None:
    store = S3Store(await serve(breaking(after=80_000)), "prefix", "api", PERSISTENT)
    found = await store.open_result(RequestIds("c", "api").issue())
    assert found is not None
    assert b"".join([piece async for piece in found[2]]) == RESULT


async def test_read_that_breaks_again_and_again_is_given_up(serve: Serve) -> None:
    store = S3Store(await serve(breaking(after=0), SINGLE_TRY), "prefix", "api", SINGLE_TRY)
    found = await store.open_result(RequestIds("c", "api").issue())
    assert found is not None
    with pytest.raises(AwsUnavailable):
        _ = [piece async for piece in found[2]]


async def test_result_that_cannot_be_read_to_its_end_is_cut_and_followed_by_nothing(
    serve: Serve,
) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = await breaking(after=0 if sent else 80_000)(request)
        sent = 1
        return answer

    config = parse(API)
    store = S3Store(await serve(handler, SINGLE_TRY), "prefix", config.name, SINGLE_TRY)
    request_id = RequestIds(config.cluster_name, config.name).issue()
    port = free_port()
    app = Gateway(config, store, 60).application()
    async with listening(app, port), aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{port}{config.gateway.endpoint}/{request_id}"
        async with http.get(url) as response:
            assert response.status == 200
            read = bytearray()
            is_whole = True
            try:
                async for piece in response.content.iter_any():
                    read += piece
            except aiohttp.ClientError:
                is_whole = False
    assert not is_whole
    assert b"HTTP/" not in read


async def test_head_refused_without_a_reason_is_tried_again(serve: Serve) -> None:
    calls = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        return web.Response(status=400 if calls == 1 else 200)

    await (await serve(handler)).head("key")
    assert calls == 2


async def test_missing_object_is_told_from_a_refused_call(serve: Serve) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404, headers={"x-amz-request-id": "1"})

    with pytest.raises(ObjectMissing):
        await (await serve(handler)).head("key")


async def test_completion_that_fails_after_its_200_is_tried_again(serve: Serve) -> None:
    calls = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        text = "<Error><Code>InternalError</Code></Error>" if calls == 1 else "<CompleteMultipartUploadResult/>"
        return web.Response(text=text, content_type="application/xml")

    await Upload(await serve(handler), "key", "upload").complete()
    assert calls == 2


async def test_completion_whose_answer_was_lost_counts_as_done(serve: Serve) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.method)
        if request.method == "HEAD":
            return web.Response()
        return web.Response(status=404, text="<Error><Code>NoSuchUpload</Code></Error>")

    await Upload(await serve(handler), "key", "upload").complete()
    assert seen == ["POST", "HEAD"]


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (5, "it is not known whether the request was accepted; submitting it again may run it twice"),
        (500_000, "nothing was accepted, try again"),  # the bucket answers first
    ],
)
async def test_503_of_a_submission_says_whether_it_may_have_been_accepted(
    serve_aws: ServeAws, size: int, told: str
) -> None:
    taken: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        if request.method == "PUT":
            return web.Response(status=503)
        taken.append(request.headers["X-Amz-Target"])
        assert request.transport is not None
        request.transport.abort()  # the messages are taken, and the answer is lost
        return web.Response()

    config = parse(API)
    session = await serve_aws(handler)
    s3 = S3(session, "bucket", SINGLE_TRY)
    gateway = Gateway(config, S3Store(s3, "prefix", config.name, SINGLE_TRY), 60)
    gateway.queue = SqsQueue(Sqs(session), "http://sqs/queue", 60, SINGLE_TRY)
    port = free_port()
    async with listening(gateway.application(), port), aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{port}{config.gateway.endpoint}"
        async with http.post(url, data=bytes(size)) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
            error = (await response.json())["error"]
    assert error["code"] == "unavailable"
    assert error["message"].endswith(told)
    assert set(taken) == ({"AmazonSQS.SendMessageBatch"} if size == 5 else set())


async def test_a_connection_at_which_not_aws_answered_is_not_used_again(serve_aws: ServeAws) -> None:
    """As one that was made before a Service's address led to it, and went to something else for good."""
    wrong: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        wrong.update(() if wrong else (request.transport,))
        if request.transport in wrong:
            return web.Response(status=404, text="no such page")
        return web.json_response({"QueueUrl": "http://queue"})

    sqs = Sqs(await serve_aws(answer))
    with pytest.raises(AwsUnavailable, match="404"):
        await sqs.queue_url("queue")
    assert await sqs.queue_url("queue") == "http://queue"
