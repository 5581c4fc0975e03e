"""The first number of replicas, as a Kubernetes API is told it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cortex_async.__main__ import main
from support.api_document import api_document


@dataclass
class Kubernetes:
    """What the server was asked, and the status that it answers."""

    url: str = ""
    status: int = 200
    asked: list[tuple[str, str | None, str | None, Any]] = field(default_factory=list)


@pytest.fixture
def kubernetes() -> Iterator[Kubernetes]:
    found = Kubernetes()

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], body))
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(b"no such right")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()


@pytest.fixture
def words(tmp_path: Path, kubernetes: Kubernetes) -> list[str]:
    (tmp_path / "api.json").write_text(json.dumps(api_document()))
    (tmp_path / "token").write_text("secret")
    (tmp_path / "namespace").write_text("team")
    files = ["--config", str(tmp_path / "api.json"), "--account", str(tmp_path)]
    return ["initial-replicas", *files, "--server", kubernetes.url, "--replicas", "3"]


def test_sets_the_scale_of_the_apis_deployment(kubernetes: Kubernetes, words: list[str]) -> None:
    assert main(words) == 0
    path = "/apis/apps/v1/namespaces/team/deployments/api-hello/scale"
    patch = {"spec": {"replicas": 3}}
    assert kubernetes.asked == [(path, "Bearer secret", "application/merge-patch+json", patch)]


def test_a_refusal_is_told_with_its_reason(
    kubernetes: Kubernetes, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kubernetes.status = 403
    assert main(words) == 1
    assert "refuses to scale team/api-hello (403): no such right" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words[words.index("--server") + 1] = "http://127.0.0.1:9"
    assert main(words) == 1
    assert "cannot reach Kubernetes at http://127.0.0.1:9" in capsys.readouterr().err
