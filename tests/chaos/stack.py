"""The processes of a chaos run: those of the tests' usual stack, with the faulty proxy before S3 and SQS."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.processes import Emulator, Process, accepts, free_port, wait_until
from support.stack import BUCKET, WEB_SERVER, Stack

TESTS = Path(__file__).parents[1]

# A message comes back 6 s after its dispatcher was killed. Every kill, and every answer to ReceiveMessage that is
# lost on its way, counts as an attempt: about one receive in 25 with 10 % faults. Twenty in a row do not happen by
# chance, so a request that runs out of attempts has met a defect.
VISIBILITY_SECONDS = 6
MAX_ATTEMPTS = 20
INLINE_LIMIT_BYTES = 16_384  # so that many payloads go through the bucket without the run moving gigabytes


def _changes(url: str) -> dict[str, Any]:
    return {
        "aws": {"endpointUrl": url},
        "queue": {
            "maxAttempts": MAX_ATTEMPTS,
            "visibilityTimeoutSeconds": VISIBILITY_SECONDS,
            "inlineLimitBytes": INLINE_LIMIT_BYTES,
        },
        "pod": {"maxConcurrency": 16, "terminationGracePeriodSeconds": 30},
    }


class ChaosStack(Stack):
    """Starts a proxy with the stack."""

    def __init__(self, emulator: Emulator, folder: Path, seed: str) -> None:
        port, admin_port = free_port(), free_port()
        super().__init__(emulator, folder, _changes(f"http://127.0.0.1:{port}"))
        self.proxy_admin = f"http://127.0.0.1:{admin_port}"
        words = [str(port), str(admin_port), emulator.url, seed]
        self.proxy = self._python("proxy", ["-m", "chaos.proxy", *words], {"PYTHONPATH": str(TESTS)})
        wait_until("the proxy", lambda: accepts(port) and accepts(admin_port), self.proxy)

    def _python(self, name: str, words: list[str], env: Mapping[str, str]) -> Process:
        process = Process(name, [sys.executable, *words], self.folder, env)
        self.processes.append(process)
        return process

    def command(self, name: str, *options: str, config: Path | None = None) -> Process:
        words = ["-m", "cortex_async", name, "--config", str(config or self.config_file), *options]
        return self._python(name, words, {**self.emulator.credentials, "CORTEX_LOG_LEVEL": "info"})

    def provision(self) -> None:
        process = self.command("provision", "--create-bucket")
        assert process.wait() == 0, process.log

    def restart_web_server(self) -> None:
        """Kill it, and start it again without waiting until it listens."""
        self.web.kill()
        self.start_web_server()

    def start_web_server(self) -> None:
        """Start the web server that all dispatchers share."""
        self.web = self._python("web", [str(WEB_SERVER), str(self.port)], {"JOURNAL": str(self.journal)})

    def uploads(self) -> int:
        """How many multipart uploads were begun and neither completed nor aborted."""
        found = self.emulator.client("s3").list_multipart_uploads(Bucket=BUCKET, Prefix=f"test/{self.name}/")
        return len(found.get("Uploads", ()))

    def results(self) -> dict[str, str]:
        """The MD5 (ETag) of every result in the bucket, by id; of a multipart one it is empty."""
        found = {}
        pages = self.emulator.client("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=BUCKET, Prefix=f"test/{self.name}/"):
            for item in page.get("Contents", ()):
                *_, request_id, what = item["Key"].split("/")
                if what == "result":
                    etag = item["ETag"].strip('"')
                    found[request_id] = "" if "-" in etag else etag
        return found
