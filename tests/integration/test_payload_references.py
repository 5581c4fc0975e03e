"""A submission names an object of S3 for its body: it is read where it is, and nothing but what is allowed."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import botocore.exceptions
import pytest

from cortex_async.request_id import RequestIds
from support.aws_proxy import AwsProxy
from support.processes import Emulator, wait_until
from support.stack import Client, Stack

BUCKET = "others-data"
ALLOWED = f"s3://{BUCKET}/images/"
SETTINGS = {"storage": {"payloadReferences": [ALLOWED]}, "gateway": {"maxPayloadMiB": 4}}


@pytest.fixture
def stack(make_stack: Callable[..., Stack], emulator: Emulator) -> Stack:
    try:
        place = {"LocationConstraint": emulator.region}
        emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"  # noqa: PT017
    return make_stack(SETTINGS)


def put(stack: Stack, key: str, body: bytes, content_type: str = "image/png") -> str:
    """Store an object that is not the API's, and return the reference to it."""
    stack.emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body, ContentType=content_type)
    return f"s3://{BUCKET}/{key}"


def there(stack: Stack, key: str) -> bytes:
    found = stack.emulator.client("s3").get_object(Bucket=BUCKET, Key=key)
    return bytes(found["Body"].read())


async def refused(
    stack: Stack,
    http: aiohttp.ClientSession,
    reference: str,
    body: bytes = b"",
    more: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    headers = {"X-Cortex-Payload-Ref": reference, **(more or {})}
    async with http.post(stack.url, data=body, headers=headers) as response:
        document = await response.json()
        assert document["status"] == response.status
        assert document["detail"] == document["error"]["message"]
        return response.status, str(document["error"]["code"])


@pytest.mark.parametrize(
    ("key", "body", "headers"),
    [
        ("images/a.png", os.urandom(3_000_000), {}),
        ("images/a.png", b"small", {"Content-Type": "text/plain", "Idempotency-Key": "a key"}),
        ("images/é b+c%20d?e#f", b"", {}),
    ],
)
async def test_container_gets_the_object_which_stays(
    stack: Stack, http: aiohttp.ClientSession, key: str, body: bytes, headers: Mapping[str, str]
) -> None:
    stack.all()
    api = Client(stack, http)
    reference = {"X-Cortex-Payload-Ref": put(stack, key, body)}
    result = await api.completed(headers={**headers, **reference}, query="?a=1")
    found = (result["sha256"], result["size"], result["query"])
    assert found == (hashlib.sha256(body).hexdigest(), len(body), "a=1")
    assert [value for name, value in result["headers"] if name == "Content-Type"] == ["image/png"]
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert there(stack, key) == body
    assert not [each for each in stack.objects() if each.endswith("/payload")]


async def test_what_cannot_be_read_is_refused_at_the_submission(stack: Stack, http: aiohttp.ClientSession) -> None:
    stack.provision()
    stack.gateway()
    put(stack, "secret", b"x")
    within = put(stack, "images/here", b"x")
    for each in (
        f"s3://{BUCKET}",
        f"{ALLOWED}../secret",
        f"{ALLOWED}a/./b",
        f"https://{BUCKET}/images/a",
        f"{ALLOWED}{'x' * 1025}",
    ):
        assert await refused(stack, http, each) == (400, "invalid_reference"), each
    assert await refused(stack, http, within, b"a body") == (400, "invalid_reference")
    assert await refused(stack, http, within, more={"X-Cortex-Upload-ID": "x"}) == (400, "invalid_reference")
    for each in (f"s3://{BUCKET}/secret", f"s3://{BUCKET}/images", "s3://another/images/here"):
        assert await refused(stack, http, each) == (403, "reference_not_allowed"), each
    assert await refused(stack, http, f"{ALLOWED}gone") == (404, "reference_missing")
    large = put(stack, "images/large", bytes(4 * 2**20 + 1))
    assert await refused(stack, http, large) == (413, "payload_too_large")
    assert stack.queue_depth() == (0, 0)


async def test_without_the_setting_there_are_none(api: Client) -> None:
    assert await refused(api.stack, api.http, f"{ALLOWED}a") == (400, "invalid_reference")


async def test_key_is_of_the_object_and_its_content(stack: Stack, http: aiohttp.ClientSession) -> None:
    stack.all()
    api = Client(stack, http)
    headers = {"X-Cortex-Payload-Ref": put(stack, "images/a", b"one"), "Idempotency-Key": "k"}
    request_id = await api.submit(headers=headers)
    assert await api.submit(headers=headers) == request_id
    await api.ended(request_id)
    assert await api.submit(headers=headers) == request_id
    put(stack, "images/a", b"two")
    reused = await refused(stack, http, headers["X-Cortex-Payload-Ref"], more={"Idempotency-Key": "k"})
    assert reused == (422, "idempotency_key_reused")
    assert stack.started() == [request_id]
    assert there(stack, "images/a") == b"two"


async def test_object_that_is_another_or_gone_by_then_fails_with_a_reason(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    stack.provision()
    stack.gateway()
    api = Client(stack, http)
    keys = ("images/changed", "images/gone", "images/empty")
    ids = [
        await api.submit(headers={"X-Cortex-Payload-Ref": put(stack, key, b"" if key == keys[2] else b"one")})
        for key in keys
    ]
    put(stack, keys[0], b"two")  # of the same size
    stack.emulator.client("s3").delete_object(Bucket=BUCKET, Key=keys[1])
    put(stack, keys[2], b"more")
    stack.web_server()
    stack.dispatcher()
    codes = [(await api.ended(each))["error"]["code"] for each in ids]
    assert codes == ["payload_changed", "payload_missing", "payload_changed"]
    assert stack.started() == []
    assert there(stack, keys[0]) == b"two"


async def test_object_that_may_not_be_read_is_refused_or_tried_again(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    async with AwsProxy(stack.emulator.url) as aws:
        stack.document["aws"]["endpointUrl"] = aws.url
        stack.document["queue"]["maxAttempts"] = 2
        stack.config_file.write_text(json.dumps(stack.document))
        await asyncio.to_thread(stack.all)
        reference = put(stack, "images/a", b"x")
        theirs = f"/{BUCKET}/"
        aws.refused = lambda call, _: call.method == "HEAD" and call.path.startswith(theirs)
        assert await refused(stack, http, reference) == (403, "reference_unreadable")
        api = Client(stack, http)
        aws.refused = lambda call, _: call.method == "GET" and call.path.startswith(theirs) and aws.refusals < 2
        assert (await api.completed(headers={"X-Cortex-Payload-Ref": reference}))["size"] == 1
        assert aws.refusals == 2
        aws.refused = lambda call, _: call.method == "GET" and call.path.startswith(theirs)
        request_id = await api.submit(headers={"X-Cortex-Payload-Ref": reference})
        error = (await api.ended(request_id))["error"]
        assert (error["code"], aws.refusals) == ("payload_unreadable", 4)


@pytest.mark.parametrize(
    ("url", "etag", "code"),
    [
        (f"s3://{BUCKET}/secret", '"1"', "payload_not_allowed"),
        ("s3://cortex-tests/test/another/00/id/result", '"1"', "payload_not_allowed"),
        (f"{ALLOWED}../secret", '"1"', None),
        (f"{ALLOWED}a", "", None),
        (f"{ALLOWED}a", '"1"\r\nX-Injected: 1', None),
    ],
)
async def test_message_of_somebody_else_gets_nothing_else_into_the_container(
    stack: Stack, http: aiohttp.ClientSession, url: str, etag: str, code: str | None
) -> None:
    stack.all()
    put(stack, "secret", b"x")
    request_id = RequestIds("test", stack.name).issue()
    forged: dict[str, Any] = {"version": 1, "id": request_id, "query": "", "headers": []}
    forged["payload"] = {"object": {"url": url, "etag": etag, "size": 1}}
    sqs = stack.emulator.client("sqs")
    queue = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(forged))
    if code is None:
        wait_until("the refusal", lambda: "not ours" in stack.latest("dispatcher").log)
    else:
        assert (await Client(stack, http).ended(request_id))["error"]["code"] == code
    assert stack.started() == []
