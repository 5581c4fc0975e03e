"""A client of one API, `hello`, whose gateway fails as a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import cortex
from support.coming_gateway import ComingGateway, gateway_running

Use = Callable[[ComingGateway], cortex.Client]


@pytest.fixture(autouse=True)
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder, and none of the shell's settings."""
    for name in ("CORTEX_VERSION", "CORTEX_OPERATOR_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CORTEX_CLI_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def use() -> Iterator[Use]:
    """Make a client whose operator names this gateway."""
    with ExitStack() as stack:

        def made(gateway: ComingGateway) -> cortex.Client:
            gateway.url = f"{stack.enter_context(gateway_running(gateway))}/hello"
            return cortex.new_client("test", stack.enter_context(_operator(gateway.url)))

        yield made


class _Operator(ExitStack):
    """Answers `/get/hello` alone."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint

    def __enter__(self) -> Any:
        document = json.dumps([{"endpoint": self._endpoint}]).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.callback(server.server_close)
        self.callback(thread.join)
        self.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}"


def _operator(endpoint: str) -> _Operator:
    return _Operator(endpoint)
