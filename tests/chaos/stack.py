"""The processes of a chaos run: a gateway, and pods, with the faulty proxy before S3 and SQS."""

import copy
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos import webhooks
from support.memory_limit import MemoryLimit, chart_limit, memory_limit, peak_mib
from support.processes import Emulator, Process, accepts, free_port, wait_until
from support.stack import BUCKET, WEB_SERVER, Stack

TESTS = Path(__file__).parents[1]

# A message comes back 6 s after its dispatcher was killed. A suspect whose pod is killed under it loses an
# attempt: five in a row do not happen by chance, so a good request that runs out of attempts has met a defect.
VISIBILITY_SECONDS = 6
MAX_ATTEMPTS = 5
SLOTS = 16
INLINE_LIMIT_BYTES = 16_384  # so that many payloads go through the bucket without the run moving gigabytes


def _changes(url: str, secrets: Path) -> dict[str, Any]:
    delivery: dict[str, Any] = {
        "url": None,
        "folder": str(secrets),
        "allowedHosts": [],
        "allowPrivateAddresses": True,
    }
    ends = ["completed", "failed", "cancelled"]
    return {
        "webhooks": {"queueName": "chaos-webhooks", "events": ends, "everyRequest": False},
        "gateway": {"webhooks": delivery},
        "aws": {"endpointUrl": url},
        "queue": {
            "maxAttempts": MAX_ATTEMPTS,
            "visibilityTimeoutSeconds": VISIBILITY_SECONDS,
            "inlineLimitBytes": INLINE_LIMIT_BYTES,
        },
        "pod": {"maxConcurrency": SLOTS, "terminationGracePeriodSeconds": 30},
    }


@dataclass
class Pod:
    """A dispatcher, and the web server that it feeds."""

    dispatcher: Process
    web: Process
    web_port: int
    admin_port: int


class ChaosStack(Stack):
    """Starts a proxy with the stack; gateway and dispatchers have the chart's memory limits, by cgroups."""

    def __init__(self, emulator: Emulator, folder: Path, seed: str) -> None:
        port, admin_port = free_port(), free_port()
        secrets = folder / "webhooks"
        secrets.mkdir()
        (secrets / "secret").write_text(webhooks.SECRET)
        super().__init__(emulator, folder, _changes(f"http://127.0.0.1:{port}", secrets))
        self.limited: list[tuple[str, int, MemoryLimit | None, Process]] = []
        self.proxy_admin = f"http://127.0.0.1:{admin_port}"
        words = [str(port), str(admin_port), emulator.url, seed]
        self.proxy = self._python("proxy", ["-m", "chaos.proxy", *words], {"PYTHONPATH": str(TESTS)})
        wait_until("the proxy", lambda: accepts(port) and accepts(admin_port), self.proxy)

    def _python(self, name: str, words: list[str], env: Mapping[str, str]) -> Process:
        process = Process(name, [sys.executable, *words], self.folder, env)
        self.processes.append(process)
        return process

    def command(self, name: str, *options: str, config: Path | None = None) -> Process:
        argv = [sys.executable, "-m", "cortex_async", name, "--config", str(config or self.config_file), *options]
        limit = None
        if name in ("gateway", "dispatcher"):
            limit = self.within.enter_context(memory_limit(chart_limit(name)))
            argv = limit.within(argv) if limit else argv
        environment = {**self.emulator.credentials, "CORTEX_LOG_LEVEL": "info"}
        process = Process(name, argv, self.folder, environment)
        self.processes.append(process)
        if name in ("gateway", "dispatcher"):
            self.limited.append((name, chart_limit(name), limit, process))
        return process

    def provision(self) -> None:
        process = self.command("provision", "--create-bucket")
        assert process.wait() == 0, process.log

    def pod(self) -> Pod:
        """Start a web server and its dispatcher, without waiting until they listen."""
        document = copy.deepcopy(self.document)
        document["pod"]["port"] = port = free_port()
        document["probes"] = [{**probe, "port": port} for probe in document["probes"]]
        document["dispatcher"]["adminPort"] = admin_port = free_port()
        dispatcher = self.command("dispatcher", config=self._write(document))
        return Pod(dispatcher, self.web_server_at(port), port, admin_port)

    def web_server_at(self, port: int) -> Process:
        """Start a web server; all of them keep one journal."""
        return self._python("web", [str(WEB_SERVER), str(port)], {"JOURNAL": str(self.journal)})

    def memory(self) -> tuple[str, list[str]]:
        """How much the processes held of the chart's limits, in words, and what was wrong with it."""
        peaks: dict[str, float] = {}
        wrong = []
        for name, size, limit, process in self.limited:
            peak = peak_mib(process.pid) if process.is_running() else 0.0
            if limit is not None:
                peak = max(peak, limit.peak_mib)
                if limit.kills:
                    wrong.append(f"a {name} was killed at its memory limit of {size // 2**20} MiB")
            elif peak > size / 2**20:
                wrong.append(f"a {name} held {peak:.0f} MiB; the chart's limit is {size // 2**20} MiB")
            peaks[name] = max(peak, peaks.get(name, 0.0))
        found = ", ".join(f"{name} {peak:.0f} of {chart_limit(name) // 2**20} MiB" for name, peak in peaks.items())
        is_enforced = any(limit is not None for _, _, limit, _ in self.limited)
        how = "enforced by cgroups" if is_enforced else "NOT enforced, no cgroup can be made: measured at the end"
        return f"{found} ({how})", wrong

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

    def queued_webhooks(self) -> int:
        """How many webhooks wait to be sent, or sent again."""
        return sum(self.queue_depth(self.document["webhooks"]["queueName"]))

    def dead_letter_ids(self) -> list[str]:
        """The ids in the dead-letter queue, repeats included."""
        sqs = self.emulator.client("sqs")
        url = sqs.get_queue_url(QueueName=self.document["queue"]["deadLetterName"])["QueueUrl"]
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"])["id"] for message in messages]
        return found
