"""A proxy in front of the emulator that records the IAM actions and resource of each call."""

import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

_SQS = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
"""Operations that need a permission of another name (Service Authorization Reference, Amazon SQS)."""

_OBJECTS = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}


@dataclass(frozen=True, order=True)
class Use:
    """A permission that a call needs; `prefix` is that of a listing, or None."""

    action: str
    resource: str
    prefix: str | None = None


class Recorder:
    """Forwards calls to an emulator; records their AWS names in `operations`, their permissions in `uses`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.operations: set[str] = set()
        self.uses: set[Use] = set()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if self.raw_requestline and self.parse_request():
                    recorder.forward(self)
                else:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forward(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc)
        connection.request(request.command, request.path, body, dict(request.headers))
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        self._record(request, body, response.status)
        request.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                request.send_header(name, value)
        length = response.getheader("Content-Length") if request.command == "HEAD" else None
        request.send_header("Content-Length", length or str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _record(self, request: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
        target = request.headers.get("X-Amz-Target")
        if target:
            self._record_sqs(target.rpartition(".")[2], json.loads(body))
        else:
            self._record_s3(request.command, request.path, status)

    def _record_sqs(self, operation: str, document: dict[str, Any]) -> None:
        name = document.get("QueueName") or document["QueueUrl"].rpartition("/")[2]
        actions = [_SQS.get(operation, operation)]
        if operation == "CreateQueue" and document.get("tags"):
            actions.append("TagQueue")
        self.operations.add(operation)
        self.uses |= {Use(f"sqs:{action}", name) for action in actions}

    def _record_s3(self, method: str, path: str, status: int) -> None:
        parts = urlsplit(path)
        bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
        query = {each.partition("=")[0] for each in parts.query.split("&")}
        if not key:
            if "lifecycle" in query:
                operation, action = "BucketLifecycleConfiguration", "LifecycleConfiguration"
                self.operations.add(f"{method.capitalize()}{operation}")
                self.uses.add(Use(f"s3:{method.capitalize()}{action}", bucket))
            elif "list-type" in query:
                self.operations.add("ListObjectsV2")
                (prefix,) = parse_qs(parts.query)["prefix"]
                self.uses.add(Use("s3:ListBucket", bucket, prefix))
            else:
                assert method == "HEAD", f"{method} {path}"
                self.operations.add("HeadBucket")
                self.uses.add(Use("s3:ListBucket", bucket))
            return
        action = _OBJECTS[method]
        operation = f"{method.capitalize()}Object"
        if "uploads" in query:
            operation = "CreateMultipartUpload"
        elif "uploadId" in query:
            uploads = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
            operation = uploads[method]
            action = "AbortMultipartUpload" if method == "DELETE" else action
        self.operations.add(operation)
        self.uses.add(Use(f"s3:{action}", f"{bucket}/{key}"))
        if status == 404 and action == "GetObject":  # 403 without it (Amazon S3 API reference, GetObject)
            self.uses.add(Use("s3:ListBucket", bucket))
