"""What an answer of S3, or of something on the way to it, is taken for."""

import pytest
from aiohttp import web

from cortex_async import limits
from cortex_async.aws.s3 import Upload
from cortex_async.backoff import SINGLE_TRY
from cortex_async.errors import AwsUnavailable, ObjectExists, ObjectMissing, ObjectTooLarge, UploadLost
from support.aws_answers import Handler, bucket, error

BY_S3 = {"x-amz-request-id": "4442587FB7D0A2F9"}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def always(response: web.Response) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=response.status, text=response.text, headers=response.headers)

    return handler


async def test_404_of_a_proxy_tells_nothing_of_an_object() -> None:
    async with bucket(always(web.Response(status=404, text="404 page not found")), SINGLE_TRY) as s3:
        with pytest.raises(AwsUnavailable):
            await s3.open("key")
        with pytest.raises(AwsUnavailable):
            await s3.head("key")
        with pytest.raises(AwsUnavailable):
            await s3.put("key", b"", {})


async def test_404_of_s3_tells_that_the_object_is_missing() -> None:
    async with bucket(always(error(404, "NoSuchKey"))) as s3:
        with pytest.raises(ObjectMissing):
            await s3.open("key")
    async with bucket(always(web.Response(status=404, headers=BY_S3))) as s3:
        with pytest.raises(ObjectMissing):
            await s3.head("key")


@pytest.mark.parametrize("status", [200, 412])
async def test_completion_of_an_object_that_exists_says_so(status: int) -> None:
    """S3 may begin the answer with 200, and learn only then what it is."""
    async with bucket(always(error(status, "PreconditionFailed"))) as s3:
        with pytest.raises(ObjectExists):
            await Upload(s3, "key", "upload").complete(once=True)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "NoSuchUpload"),
        (409, "ConditionalRequestConflict"),
        (200, "ConditionalRequestConflict"),
        (400, "InvalidPart"),
    ],
)
async def test_upload_that_can_no_longer_be_completed_is_lost(status: int, code: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, headers=BY_S3) if request.method == "HEAD" else error(status, code)

    async with bucket(handler) as s3:
        with pytest.raises(UploadLost):
            await Upload(s3, "key", "upload").complete(once=True)


async def test_part_of_an_upload_that_is_gone_is_not_sent_for_ever() -> None:
    async with bucket(always(error(404, "NoSuchUpload"))) as s3:
        with pytest.raises(UploadLost):
            await Upload(s3, "key", "upload").add(b"part")


async def test_no_part_is_sent_beyond_those_that_s3_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "S3_PARTS", 2)
    sent = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal sent
        sent += 1
        return web.Response(headers={"ETag": "1"})

    async with bucket(handler) as opened:
        upload = Upload(opened, "key", "upload")
        for _ in range(2):
            await upload.add(b"part")
        with pytest.raises(ObjectTooLarge):
            await upload.add(b"part")
    assert sent == 2
