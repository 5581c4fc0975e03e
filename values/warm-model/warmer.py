"""Trains the model from the texts, puts it where the web server finds it, and then only says that it is there."""

import argparse
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import model


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if model.MODEL.exists() else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of probes."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has no default for it
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    port = parser.parse_args().port
    folder = Path(os.environ["WARMER_TEXTS"])
    texts = {each.stem: each.read_text(encoding="utf-8") for each in sorted(folder.glob("*.txt"))}
    model.save(model.train(texts))
    print(f"trained {model.MODEL} on {', '.join(texts)}")
    ThreadingHTTPServer(("", port), Health).serve_forever()
