"""One API as it runs in a cluster: gateway, dispatchers and a web server, each a process, and their queue."""

import asyncio
import copy
import io
import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from cortex_async import config
from cortex_async.provision.command import provision
from support.api_document import api_document
from support.processes import LONGEST_PAUSE, WAIT_SECONDS, Emulator, Process, accepts, free_port, wait_until

WEB_SERVER = Path(__file__).with_name("web_server.py")
BUCKET = "cortex-tests"


class Stack:
    """Starts what a test asks for, and ends all of it."""

    def __init__(self, emulator: Emulator, folder: Path, changes: Mapping[str, Any] | None = None) -> None:
        self.emulator = emulator
        self.folder = folder
        self.name = f"api-{uuid.uuid4().hex[:12]}"
        self.port = free_port()
        self.gateway_port = free_port()
        self.gateway_admin_port = free_port()
        self.document = api_document(self._own_settings(), changes or {})
        self.config_file = self._write(self.document)
        self.journal = folder / "journal"
        self.processes: list[Process] = []
        self.url = f"http://127.0.0.1:{self.gateway_port}/{self.name}"

    def _own_settings(self) -> dict[str, Any]:
        queue = f"test-{self.name}"
        return {
            "name": self.name,
            "aws": {"region": self.emulator.region, "endpointUrl": self.emulator.url},
            "storage": {"bucket": BUCKET},
            "queue": {"name": queue, "deadLetterName": f"{queue}-dead-letter"},
            # A drain waits for the open receive, which is 8 s at this grace.
            "pod": {"port": self.port, "terminationGracePeriodSeconds": 20},
            "probes": [{**probe, "port": self.port} for probe in api_document()["probes"]],
            "gateway": {
                "port": self.gateway_port,
                "adminPort": self.gateway_admin_port,
                "endpoint": f"/{self.name}",
            },
            "dispatcher": {"adminPort": free_port()},
        }

    def _write(self, document: dict[str, Any]) -> Path:
        file = self.folder / f"api-{uuid.uuid4().hex[:6]}.json"
        file.write_text(json.dumps(document))
        return file

    def command(self, name: str, *options: str, config: Path | None = None) -> Process:
        argv = [sys.executable, "-m", "cortex_async", name, "--config", str(config or self.config_file), *options]
        process = Process(name, argv, self.folder, {**self.emulator.credentials, "CORTEX_LOG_LEVEL": "debug"})
        self.processes.append(process)
        return process

    def provision(self) -> None:
        provision(config.parse(self.document), create_bucket=True)

    def gateway(self) -> Process:
        process = self.command("gateway")
        self.wait_ready(self.gateway_port, process)
        return process

    def dispatcher(self, *, wait: bool = True) -> Process:
        """Start a dispatcher with an admin port of its own, so that several may run."""
        document = copy.deepcopy(self.document)
        document["dispatcher"]["adminPort"] = self.admin_port = free_port()
        self.journal.with_name("progress-url").write_text(f"http://127.0.0.1:{self.admin_port}/progress")
        process = self.command("dispatcher", config=self._write(document))
        if wait:
            self.wait_ready(self.admin_port, process)
        return process

    def web_server(self) -> Process:
        argv = [sys.executable, str(WEB_SERVER), str(self.port)]
        process = Process("web", argv, self.folder, {"JOURNAL": str(self.journal)})
        self.processes.append(process)
        wait_until("the web server", lambda: accepts(self.port), process)
        return process

    def all(self) -> None:
        self.provision()
        self.web_server()
        self.gateway()
        self.dispatcher()

    def latest(self, name: str) -> Process:
        """The process of that name that was started last."""
        return next(process for process in reversed(self.processes) if process.name == name)

    def wait_ready(self, port: int, process: Process) -> None:
        wait_until(f"{process.name} to be ready", lambda: readiness(port)[0] == 200, process)

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """What `/readyz` of the dispatcher that was started last says."""
        return readiness(self.admin_port)

    def let_go(self) -> None:
        """Let the requests with the query `hold` end."""
        self.journal.with_name("let-go").touch()

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.is_running():
                process.kill()

    # What a user, or the user's AWS console, would see.

    def queue_depth(self, name: str | None = None) -> tuple[int, int]:
        """Messages that can be received, and those in flight."""
        sqs = self.emulator.client("sqs")
        url = sqs.get_queue_url(QueueName=name or self.document["queue"]["name"])["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def dead_letters(self) -> int:
        return sum(self.queue_depth(self.document["queue"]["deadLetterName"]))

    def objects(self, *, full: bool = False) -> list[str]:
        """What the bucket holds of this API, as `<id>/<what>`, or as whole keys."""
        pages = self.emulator.client("s3").get_paginator("list_objects_v2")
        prefix = f"test/{self.name}/"
        return [
            item["Key"] if full else item["Key"].split("/", 3)[3]
            for page in pages.paginate(Bucket=BUCKET, Prefix=prefix)
            for item in page.get("Contents", ())
        ]

    def started(self) -> list[str]:
        """Ids in the order in which the web server took them, repeats included."""
        return self._journal("start")

    def ended(self) -> list[str]:
        return self._journal("end")

    def told(self, word: str) -> list[str]:
        """Ids that the web server wrote down with that word: `closed` (connections), `cancel` (the hook)."""
        return self._journal(word)

    def _journal(self, word: str) -> list[str]:
        lines = self.journal.read_text().split("\n") if self.journal.exists() else []
        return [line.split()[1] for line in lines if line.startswith(word)]


def readiness(port: int) -> tuple[int, dict[str, Any]]:
    """Status and document of `/readyz`; status 0 when nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


class Client:
    """The API's client, as any user would write it."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http

    async def submit(self, payload: Any = b"", headers: Mapping[str, str] | None = None, query: str = "") -> str:
        if isinstance(payload, bytes) and len(payload) > 2**20:
            payload = io.BytesIO(payload)
        async with self.http.post(
            URL(f"{self.stack.url}{query}", encoded=True), data=payload, headers=headers
        ) as response:
            document = await response.json()
            assert response.status == 200, document
            return str(document["id"])

    async def get(self, request_id: str) -> tuple[int, dict[str, Any]]:
        async with self.http.get(f"{self.stack.url}/{request_id}") as response:
            return response.status, await response.json()

    async def ended(self, request_id: str, within: float = WAIT_SECONDS) -> dict[str, Any]:
        """Poll until the request has ended, and return what GET says then."""
        end = time.monotonic() + within
        pause = 0.02
        while True:
            status, document = await self.get(request_id)
            assert status == 200, document
            if document["status"] in ("completed", "failed", "cancelled", "expired"):
                return document
            assert time.monotonic() < end, f"{document} after {within} s\n" + "\n".join(
                process.log[-3000:] for process in self.stack.processes
            )
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, LONGEST_PAUSE)

    async def completed(
        self, payload: Any = b"", headers: Mapping[str, str] | None = None, query: str = ""
    ) -> Any:
        document = await self.ended(await self.submit(payload, headers, query))
        assert document["status"] == "completed", document
        return document["result"]
