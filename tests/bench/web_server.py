"""The container of the bench: `python -m bench.web_server PORT`. It answers each POST at once, in 100 bytes.

The answer tells when the request reached it and when it was answered, on the clock that all processes of a machine
share (CLOCK_MONOTONIC, in nanoseconds), and how many bytes came; `?sleep=SECONDS` lets it take longer.
"""

import asyncio
import json
import sys
import time
from typing import Any

from bench.http_server import Connection, Request, Response


class Container(Connection):
    """Answers what the dispatcher posts; a GET is a readiness probe."""

    keep_body = False
    served = 0

    def handle(self, request: Request) -> None:
        if request.method == "GET":
            self.respond(Response(200, {"content-type": "application/json"}, (str(Container.served).encode(),)))
            return
        Container.served += 1
        document = {
            "received": time.monotonic_ns(),
            "size": int(request.headers.get("content-length", 0)),
            "id": request.headers["x-cortex-request-id"],
        }
        if request.query.startswith("sleep="):
            seconds = float(request.query.partition("=")[2])
            asyncio.get_running_loop().call_later(seconds, self._answer, document)
        else:
            self._answer(document)

    def _answer(self, document: dict[str, Any]) -> None:
        document["answered"] = time.monotonic_ns()
        self.respond(Response(200, {"content-type": "application/json"}, (json.dumps(document).encode(),)))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Container, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
