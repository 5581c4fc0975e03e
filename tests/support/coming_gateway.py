"""A gateway that knows idempotency keys, waiting and cancelling, or none of them, and fails as it is told.

The real gateway of this version knows none; what is spoken here is what it is to speak.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class ComingGateway:
    """Requests by id, and what is to happen to the next submissions."""

    def __init__(self, *, knows_more: bool = True) -> None:
        self.knows_more = knows_more
        self.submitted: list[tuple[str, bytes, dict[str, str]]] = []  # id, payload, headers
        self.documents: dict[str, dict[str, Any]] = {}
        self.by_key: dict[str, str] = {}
        self.failures: list[str] = []  # "busy", "unavailable" or "cut", one for each next submission
        self.waited: list[float] = []
        self.ends_at_once = True
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self.url = ""

    def submit(self, payload: bytes, headers: dict[str, str]) -> str:
        with self._lock:
            key = headers.get("Idempotency-Key", "") if self.knows_more else ""
            if key in self.by_key:
                return self.by_key[key]
            request_id = f"request-{len(self.submitted)}"
            self.submitted.append((request_id, payload, headers))
            if key:
                self.by_key[key] = request_id
            ended = {"id": request_id, "status": "completed", "result": _echo(payload)}
            self.documents[request_id] = ended if self.ends_at_once else {"id": request_id, "status": "in_queue"}
            return request_id

    def enter(self) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


def _echo(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


class _Handler(BaseHTTPRequestHandler):
    gateway: ComingGateway

    def do_POST(self) -> None:
        gateway = self.gateway
        gateway.enter()
        try:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            failure = gateway.failures.pop(0) if gateway.failures else ""
            if failure == "busy":
                return self._answer(429, {"error": {"code": "busy", "message": "too many"}}, {"Retry-After": "0"})
            if failure == "refuse":
                return self._answer(413, {"error": {"code": "payload_too_large", "message": "too large"}})
            request_id = gateway.submit(payload, dict(self.headers))
            if failure == "unavailable":
                return self._answer(
                    503, {"error": {"code": "unavailable", "message": "not known"}}, {"Retry-After": "0"}
                )
            if failure == "cut":
                self.connection.close()
                return None
            self._answer(200, {"id": request_id})
        finally:
            gateway.leave()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        wait = float(parse_qs(parts.query).get("wait", ["0"])[0])
        request_id = parts.path.rsplit("/", 1)[1]
        end = time.monotonic() + wait
        while self.gateway.knows_more and time.monotonic() < end and self._is_open(request_id):
            time.sleep(0.02)
        self.gateway.waited.append(wait)
        if request_id not in self.gateway.documents:
            return self._answer(404, {"error": {"code": "unknown_id", "message": "no id of this API"}})
        self._answer(200, self.gateway.documents[request_id])

    def _is_open(self, request_id: str) -> bool:
        return str(self.gateway.documents.get(request_id, {}).get("status", "")).startswith("in_")

    def do_DELETE(self) -> None:
        request_id = self.path.rsplit("/", 1)[1]
        if not self.gateway.knows_more:
            return self._answer(405, {"error": {"code": "method_not_allowed", "message": "no DELETE"}})
        if request_id not in self.gateway.documents:
            return self._answer(404, {"error": {"code": "unknown_id", "message": "no id of this API"}})
        if not self._is_open(request_id):
            return self._answer(409, {"error": {"code": "ended", "message": "it has ended"}})
        self.gateway.documents[request_id] = {
            "id": request_id,
            "status": "cancelled",
            "error": {"code": "cancelled", "message": "cancelled by its client"},
        }
        self._answer(202, {"id": request_id})

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def gateway_running(gateway: ComingGateway) -> Iterator[str]:
    """Serve, and yield the URL before the API's path."""
    handler = type("Handler", (_Handler,), {"gateway": gateway})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
