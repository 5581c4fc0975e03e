"""The S3 operations the project needs, as plain REST (Amazon S3 API reference, 2006-03-01)."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote
from xml.sax.saxutils import escape, unescape

import aiohttp

from cortex_async import limits
from cortex_async.aws.client import Answer, AwsSession, Call, Service
from cortex_async.aws.endpoints import aws_endpoint
from cortex_async.backoff import RetryPolicy
from cortex_async.errors import (
    AwsError,
    AwsRefused,
    AwsUnavailable,
    ObjectDamaged,
    ObjectMissing,
    ObjectTooLarge,
    UploadLost,
)

META = "x-amz-meta-"
_PLAIN = re.compile("[A-Za-z0-9/_.~-]*")  # what `quote` would not change
_BEYOND_END = frozenset({"InvalidRange"})
_LOST = frozenset({"NoSuchUpload", "InvalidPart", "ConditionalRequestConflict"})


class S3:
    """One bucket, each call tried as `policy` says; keys are plain text, quoted here."""

    def __init__(self, session: AwsSession, bucket: str, policy: RetryPolicy) -> None:
        region = session.config.region
        base = session.endpoint("s3")
        if base is not None or "." in bucket:  # a dot would not match the certificate's wildcard
            self._service = Service(session, "s3", base or aws_endpoint("s3", region), policy)
            self._root = f"/{bucket}/"
        else:
            endpoint = aws_endpoint("s3", region)
            self._service = Service(session, "s3", endpoint.replace("://", f"://{bucket}."), policy)
            self._root = "/"

    async def put(
        self, key: str, body: bytes | memoryview, headers: Mapping[str, str], *, once: bool = False
    ) -> None:
        """PutObject; with `once` raises ObjectExists when the key is taken."""
        extra = {"if-none-match": "*"} if once else {}
        await self.send("PutObject", "PUT", key, {**headers, **extra}, body)

    async def open(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str = "", is_optional: bool = False
    ) -> aiohttp.ClientResponse:
        """GetObject from byte `start` on, and to before byte `stop`, its body unread, for `async with`.

        Raises ObjectMissing, ObjectDamaged when the object ends before `start`, and ObjectExists when there is one
        of another ETag than is asked for.
        """
        end = "" if stop is None else stop - 1
        headers = {"range": f"bytes={start}-{end}"} if start or stop is not None else {}
        if etag:
            headers["if-match"] = etag
        call = Call(
            "GetObject", "GET", self._path(key), "", headers, final_codes=_BEYOND_END, is_optional=is_optional
        )
        try:
            return await self._service.open(call)
        except AwsRefused as error:
            if error.code not in _BEYOND_END:
                raise
            raise ObjectDamaged(error.operation, error.status, error.code, f"there is no byte {start}") from error

    async def head(self, key: str, *, is_optional: bool = False) -> Mapping[str, str]:
        """HeadObject: the object's headers; raises ObjectMissing."""
        return (await self.send("HeadObject", "HEAD", key, {}, b"", is_optional=is_optional)).headers

    async def presigned(self, method: str, key: str, headers: Mapping[str, str]) -> str:
        """Return a URL by which anybody may make this one call with these headers, for `PRESIGNED_SECONDS`."""
        return await self._service.presigned(method, self._path(key), headers, limits.PRESIGNED_SECONDS)

    async def list(self, prefix: str, after: str) -> tuple[list[str], bool]:
        """ListObjectsV2: up to 1,000 keys that sort after `after`, and whether there are more."""
        query = f"list-type=2&prefix={quote(prefix, safe='-_.~')}&start-after={quote(after, safe='-_.~')}"
        answer = await self.send("ListObjectsV2", "GET", "", {}, b"", query)
        keys = [unescape(key.decode()) for key in re.findall(rb"<Key>([^<]+)</Key>", answer.body)]
        return keys, b"<IsTruncated>true</IsTruncated>" in answer.body

    async def delete(self, key: str) -> None:
        """DeleteObject; a key that is not there is no error."""
        await self.send("DeleteObject", "DELETE", key, {}, b"", is_optional=True)

    async def begin_upload(self, key: str, headers: Mapping[str, str]) -> "Upload":
        """CreateMultipartUpload."""
        answer = await self.send("CreateMultipartUpload", "POST", key, headers, b"", "uploads=")
        found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer.body)
        if found is None:
            raise AwsUnavailable("CreateMultipartUpload", "the answer holds no upload id")
        return Upload(self, key, found[1].decode())

    async def send(
        self,
        operation: str,
        method: str,
        key: str,
        headers: Mapping[str, str],
        body: bytes | memoryview,
        query: str = "",
        *,
        may_fail_late: bool = False,
        final_codes: frozenset[str] = frozenset(),
        is_optional: bool = False,
    ) -> Answer:
        """Send one call about `key`; `query` is percent-encoded and sorted, the options are those of `Call`."""
        return await self._service.send(
            Call(
                operation,
                method,
                self._path(key),
                query,
                headers,
                body,
                may_fail_late=may_fail_late,
                final_codes=final_codes,
                is_optional=is_optional,
            )
        )

    def _path(self, key: str) -> str:
        return self._root + (key if _PLAIN.fullmatch(key) else quote(key, safe="/-_.~"))


class Upload:
    """A multipart upload: add parts (5 MiB each but the last), several at once, then `complete` or `abort`.

    Parts count in the order in which adding them begins.
    """

    def __init__(self, bucket: S3, key: str, upload_id: str) -> None:
        self._bucket = bucket
        self._key = key
        self._id = quote(upload_id, safe="-_.~")
        self._etags: list[str] = []  # "" until S3 has the part

    async def add(self, part: bytes | memoryview) -> None:
        """UploadPart; raises UploadLost, and ObjectTooLarge after the last that S3 takes."""
        if len(self._etags) == limits.S3_PARTS:
            raise ObjectTooLarge(
                f"the object is larger than {limits.S3_PARTS} parts of {limits.S3_PART_BYTES} bytes, S3's limit"
            )
        self._etags.append("")
        number = len(self._etags)
        query = f"partNumber={number}&uploadId={self._id}"
        try:
            answer = await self._bucket.send("UploadPart", "PUT", self._key, {}, part, query, final_codes=_LOST)
        except AwsRefused as error:
            if error.code not in _LOST:
                raise
            raise UploadLost("UploadPart", str(error)) from error
        self._etags[number - 1] = answer.headers["ETag"]

    async def complete(self, *, once: bool = False) -> None:
        """CompleteMultipartUpload; raises UploadLost, and with `once` ObjectExists when the key is taken."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(self._etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        headers = {"if-none-match": "*"} if once else {}
        operation = "CompleteMultipartUpload"
        query = f"uploadId={self._id}"
        try:
            await self._bucket.send(
                operation, "POST", self._key, headers, body, query, may_fail_late=True, final_codes=_LOST
            )
        except AwsRefused as error:
            if error.code not in _LOST:
                raise
            try:
                await self._bucket.head(self._key)  # an earlier try succeeded, only its answer was lost
            except ObjectMissing:
                raise UploadLost(operation, str(error)) from error

    async def abort(self) -> None:
        """AbortMultipartUpload; the bucket's lifecycle rule removes what this cannot."""
        with suppress(AwsError, TimeoutError):
            async with asyncio.timeout(limits.ABORT_SECONDS):
                query = f"uploadId={self._id}"
                await self._bucket.send(
                    "AbortMultipartUpload", "DELETE", self._key, {}, b"", query, is_optional=True
                )
