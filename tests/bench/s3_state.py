"""The stand-in's buckets: objects, conditional writes, ranges and multipart uploads, in memory."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from bench.http_server import Request, Response

_ids = itertools.count(1)
_KEPT = ("content-type", "x-amz-meta-")  # prefixes of the headers that are stored with an object


@dataclass(slots=True)
class Object:
    """One object; the parts of a multipart upload stay apart, so that a large one is never copied."""

    parts: Sequence[bytes]
    headers: dict[str, str]
    etag: str = field(default_factory=lambda: f'"{next(_ids):032x}"')

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


@dataclass(slots=True)
class Upload:
    """A multipart upload under way."""

    headers: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """One bucket."""

    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    lifecycle: bytes = b""


def refusal(status: int, code: str) -> Response:
    """An error as S3 words it."""
    xml = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Response(status, {"content-type": "application/xml", "x-amz-request-id": "0"}, (xml.encode(),))


def xml(text: str) -> Response:
    """A success with a document."""
    return Response(200, {"content-type": "application/xml"}, (text.encode(),))


class Buckets:
    """All buckets; `handle` carries out one request and says which operation it was."""

    def __init__(self) -> None:
        self.by_name: dict[str, Bucket] = {}

    def handle(self, request: Request) -> tuple[str, Response]:
        name, _, key = request.path[1:].partition("/")
        bucket = self.by_name.get(name)
        if not key:
            return self._of_bucket(request, name, bucket)
        if bucket is None:
            return "Unknown", refusal(404, "NoSuchBucket")
        if not request.query:
            operation = {
                "PUT": "PutObject",
                "GET": "GetObject",
                "HEAD": "HeadObject",
                "DELETE": "DeleteObject",
            }[request.method]
            return operation, _of_object(operation, bucket, key, request)
        return _of_upload(bucket, key, request)

    def _of_bucket(self, request: Request, name: str, bucket: Bucket | None) -> tuple[str, Response]:
        if request.method == "PUT" and not request.query:
            self.by_name.setdefault(name, Bucket())
            return "CreateBucket", Response()
        if bucket is None:
            return "HeadBucket", refusal(404, "NoSuchBucket")
        if not request.query.startswith("lifecycle"):
            return "HeadBucket", Response()
        if request.method == "PUT":
            bucket.lifecycle = request.body
            return "PutBucketLifecycleConfiguration", Response()
        found = Response(200, {"content-type": "application/xml"}, (bucket.lifecycle,))
        missing = refusal(404, "NoSuchLifecycleConfiguration")
        return "GetBucketLifecycleConfiguration", found if bucket.lifecycle else missing


def _of_object(operation: str, bucket: Bucket, key: str, request: Request) -> Response:
    if operation == "PutObject":
        return _put(bucket, key, Object((request.body,), _kept(request.headers)), request)
    if operation == "DeleteObject":
        bucket.objects.pop(key, None)
        return Response(204)
    found = bucket.objects.get(key)
    if found is None:
        return refusal(404, "NoSuchKey")
    headers = {**found.headers, "etag": found.etag}
    if operation == "HeadObject":
        return Response(200, {**headers, "content-length": str(found.size)})
    start = re.match(r"bytes=(\d+)-$", request.headers.get("range", "bytes=0-"))
    assert start is not None, "a range of another form than the glue's"
    return Response(206 if int(start[1]) else 200, headers, _from(found.parts, int(start[1])))


def _put(bucket: Bucket, key: str, new: Object, request: Request) -> Response:
    if request.headers.get("if-none-match") == "*" and key in bucket.objects:
        return refusal(412, "PreconditionFailed")
    bucket.objects[key] = new
    return Response(200, {"etag": new.etag})


def _of_upload(bucket: Bucket, key: str, request: Request) -> tuple[str, Response]:
    query = parse_qs(request.query, keep_blank_values=True)
    if "uploads" in query:
        upload_id = f"upload{next(_ids)}"
        bucket.uploads[upload_id] = Upload(_kept(request.headers))
        return "CreateMultipartUpload", xml(f"<Result><UploadId>{upload_id}</UploadId></Result>")
    upload_id = query["uploadId"][0]
    upload = bucket.uploads.get(upload_id)
    if upload is None:
        return "Unknown", refusal(404, "NoSuchUpload")
    if request.method == "PUT":
        number = int(query["partNumber"][0])
        upload.parts[number] = request.body
        return "UploadPart", Response(200, {"etag": f'"{number}"'})
    if request.method == "DELETE":
        del bucket.uploads[upload_id]
        return "AbortMultipartUpload", Response(204)
    parts = [upload.parts[number] for number in sorted(upload.parts)]
    answer = _put(bucket, key, Object(parts, upload.headers), request)
    if answer.status != 200:
        return "CompleteMultipartUpload", answer
    del bucket.uploads[upload_id]
    return "CompleteMultipartUpload", xml("<Result></Result>")


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(_KEPT)}


def _from(parts: Sequence[bytes], start: int) -> list[bytes]:
    left: list[bytes] = []
    for part in parts:
        if start < len(part):
            left.append(part[start:] if start else part)
        start = max(0, start - len(part))
    return left
