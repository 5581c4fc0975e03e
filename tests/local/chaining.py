"""A container that asks another API, unconfigured: by the Python client, and by plain HTTP to its endpoint."""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cortex


class Handler(BaseHTTPRequestHandler):
    """Answers readiness probes, and each request with what the other API says."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        client = cortex.client()
        names = sorted(api["metadata"]["name"] for api in client.list_apis())
        said = client.submit("reader", {"asked": "by the client"}).result(timeout=60)
        endpoint = client.get_api("reader")["endpoint"]
        with urllib.request.urlopen(endpoint, data=b"by HTTP") as answer:
            status_url = f"{endpoint}/{json.load(answer)['id']}?wait=60"
        with urllib.request.urlopen(status_url) as answer:
            self._answer({"apis": names, "said": said, "status": json.load(answer)["status"]})

    def _answer(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


ThreadingHTTPServer(("127.0.0.1", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
