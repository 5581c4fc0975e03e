"""A container that is told nothing but what every container of an API is, and asks the API `reader`.

Its answer: the APIs that `cortex.client()` lists, what the reader said to the client and by plain HTTP, and what
the command `cortex get` prints.
"""

import json
import os
import subprocess
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cortex


def by_http(url: str) -> Any:
    request = urllib.request.Request(url, b'{"n": "by HTTP"}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        request_id = json.load(answer)["id"]
    with urllib.request.urlopen(f"{url}/{request_id}?wait=120") as answer:
        return json.load(answer)["result"]["n"]


class Handler(BaseHTTPRequestHandler):
    """Answers readiness probes and requests."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        client = cortex.client()
        result = client.submit("reader", {"n": "by the client"}).result(timeout=120)
        printed = subprocess.run(["cortex", "get"], capture_output=True, text=True, check=True).stdout
        self._answer(
            {
                "apis": sorted(each["metadata"]["name"] for each in client.list_apis()),
                "by_client": result["n"],
                "by_http": by_http(os.environ["READER"]),
                "endpoint": client.get_api("reader")["endpoint"],
                "printed": printed,
            }
        )

    def _answer(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
