"""A user's container for the tests of local mode: `python container.py <behaviour>`."""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Does what the payload asks for, and answers readiness probes."""

    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if payload == b"environment":
            return self._answer(json.dumps({"env": dict(os.environ), "cwd": os.getcwd()}).encode())
        if payload == b"exact":
            return self._answer(b'[12345678901234567890, 1.10,  "\\u00e9", null]')
        if payload == b"slow":
            Path("begun").touch()
            while not Path("go").exists():
                time.sleep(0.02)
            Path("answered").touch()  # before it answers: then this process may be stopped at any time
            return self._answer(b'"done"')
        if payload == b"exit once" and not Path("left").exists():
            Path("left").touch()
            payload = b"exit"
        if payload == b"exit":
            print("leaving", flush=True)
            os._exit(7)
        described = {"content_type": self.headers.get("Content-Type"), "body": payload.decode("latin-1")}
        self._answer(json.dumps(described).encode(), 200 if payload != b"refuse" else 422)

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


def main() -> None:
    behaviour = sys.argv[1]
    Path("started").touch()
    if behaviour == "fail":
        print("cannot find the weights", file=sys.stderr)
        sys.exit(3)
    if behaviour == "never-ready":
        print("still loading", flush=True)
        time.sleep(3600)
    if behaviour == "with-child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    print("arguments:", sys.argv[2:], flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
