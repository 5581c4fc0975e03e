"""The command that helm test runs, against a small server that answers as told."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cortex_async_tools import cli

Answer = tuple[int, Any]


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[tuple[str, str, bytes]] = []
        self.submissions: list[Answer] = [(200, {"id": "7"})]
        self.polls: list[Answer] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, self.headers["Content-Type"], body))
        self._answer(self.server.submissions)

    def do_GET(self) -> None:
        assert self.path == "/api/7"
        self._answer(self.server.polls)

    def _answer(self, answers: list[Answer]) -> None:
        status, document = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(document if isinstance(document, bytes) else json.dumps(document).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def smoke(server: _Server, *more: str) -> int:
    return cli.main(["smoke", f"--url=http://127.0.0.1:{server.server_port}/api", "--timeout=5", *more])


def test_it_submits_and_prints_the_result(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    done = {"id": "7", "status": "completed", "result": [1], "timestamp": "2026-01-01T00:00:00Z"}
    server.polls = [
        (200, {"id": "7", "status": "in_queue"}),
        (200, {"id": "7", "status": "in_progress"}),
        (200, done),
    ]
    assert smoke(server, "--payload=hi", "--content-type=text/plain") == 0
    assert server.posted == [("/api", "text/plain", b"hi")]
    assert json.loads(capsys.readouterr().out) == done


def test_it_waits_for_a_gateway_that_is_not_ready(server: _Server) -> None:
    server.submissions = [(503, {}), (200, {"id": "7"})]
    server.polls = [(200, {"status": "completed"})]
    assert smoke(server) == 0


def test_a_failed_request_is_a_failed_test(server: _Server) -> None:
    server.polls = [(200, {"id": "7", "status": "failed"})]
    assert smoke(server) == 1


@pytest.mark.parametrize(
    ("submission", "poll", "timeout", "text"),
    [
        ((404, b"no such path"), (200, {}), "5", "answered 404: no such path"),
        ((200, b"<html>"), (200, {}), "5", "did not answer with JSON"),
        ((200, []), (200, {}), "5", "answered [] where an object was expected"),
        ((503, b"starting"), (200, {}), "0.2", "answered 503: starting"),
        ((200, {"id": "7"}), (200, {"status": "in_queue"}), "0.2", "still in_queue after 0.2 s"),
    ],
)
def test_it_says_what_went_wrong(
    server: _Server, capsys: pytest.CaptureFixture[str], submission: Answer, poll: Answer, timeout: str, text: str
) -> None:
    server.submissions, server.polls = [submission], [poll]
    assert smoke(server, f"--timeout={timeout}") == 1
    assert text in capsys.readouterr().err


def test_it_says_when_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with _Server() as gone:
        port = gone.server_port
    assert cli.main(["smoke", f"--url=http://127.0.0.1:{port}/api", "--timeout=0.2"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
