"""The processes of the bench: the stand-in, and an API whose container costs little."""

import copy
import json
import os
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from bench.usage import cpu_seconds
from support.processes import Emulator, Process, accepts, free_port, wait_until
from support.stack import Stack

_ENV = {"PYTHONPATH": str(Path(__file__).parents[1])}


class Endpoint(Emulator):
    """An S3 and SQS server that runs already: nothing is counted there, and nothing delayed."""

    counts_calls = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.region = os.environ.get("AWS_REGION", self.region)

    def client(self, service: str, url: str | None = None) -> Any:
        return boto3.client(service, region_name=self.region, endpoint_url=url or self.url)

    def reset(self) -> dict[str, dict[str, int]]:
        """Calls, and how often they are billed, by operation, since the last time; then start anew."""
        return {}

    def set_latency(self, milliseconds: float) -> None:
        """Let every answer take that much longer."""


class StandIn(Endpoint):
    """The in-memory S3 and SQS server."""

    counts_calls = True

    def __init__(self, folder: Path, latency_ms: float = 0.0) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        argv = [sys.executable, "-m", "bench.stand_in", str(self.port), str(latency_ms)]
        self.process = Process(f"stand-in-{self.port}", argv, folder, _ENV)
        wait_until("the stand-in", lambda: accepts(self.port), self.process)

    def reset(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = self._admin("reset", "POST")
        return found

    def set_latency(self, milliseconds: float) -> None:
        self._admin(f"latency?ms={milliseconds:g}", "POST")

    def fail(self, seconds: float) -> None:
        """Let every call to SQS fail from now on for that long."""
        self._admin(f"outage?seconds={seconds:g}", "POST")

    def depth(self, queue: str) -> tuple[int, int]:
        """Messages that can be received, and those in flight."""
        visible, in_flight = self._admin("queues")[queue]
        return visible, in_flight

    def _admin(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.url}/_stand_in/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


class BenchStack(Stack):
    """One API as a pod runs it: the chart's times, usual log level, and a container that answers at once."""

    emulator: Endpoint

    def __init__(self, endpoint: Endpoint, folder: Path, changes: Mapping[str, Any] | None = None) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(endpoint, folder, changes)

    def _own_settings(self) -> dict[str, Any]:
        document = super()._own_settings()
        document["pod"]["terminationGracePeriodSeconds"] = 60
        document["probes"][0]["periodSeconds"] = 10
        document["queue"]["visibilityTimeoutSeconds"] = 30
        return document

    def command(self, name: str, *options: str, config: Path | None = None) -> Process:
        argv = [sys.executable, "-m", "cortex_async", name, "--config", str(config or self.config_file), *options]
        return self._start(Process(name, argv, self.folder))

    def web_server(self) -> Process:
        argv = [sys.executable, "-m", "bench.web_server", str(self.port)]
        process = self._start(Process("web", argv, self.folder, _ENV))
        wait_until("the web server", lambda: accepts(self.port), process)
        return process

    def _start(self, process: Process) -> Process:
        self.processes.append(process)
        return process

    def start(self, command: str) -> tuple[float, float]:
        """Start a gateway or a dispatcher; return the seconds until it is ready, and those of CPU."""
        document = copy.deepcopy(self.document)
        port = document["dispatcher"]["adminPort"] = document["gateway"]["port"] = free_port()
        document["gateway"]["adminPort"] = free_port()
        config = self._write(document)
        began = time.perf_counter()
        process = self.command(command, config=config)
        self.wait_ready(port, process)
        seconds, cpu = time.perf_counter() - began, cpu_seconds(process.pid)
        self.end(process)
        return seconds, cpu

    def served(self) -> int:
        """How many requests the container has answered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as response:
            return int(response.read())

    def is_drained(self) -> bool:
        """Whether the queue holds nothing, neither to be received nor in flight."""
        name = self.document["queue"]["name"]
        depth = self.emulator.depth(name) if isinstance(self.emulator, StandIn) else self.queue_depth(name)
        return sum(depth) == 0

    def end(self, process: Process) -> None:
        """End one process, at once, and forget it: an idle dispatcher would wait for its long poll."""
        process.kill()
        self.processes.remove(process)
