"""The gateway of many APIs, before the Kubernetes API of the tests."""

import json
import sys
from pathlib import Path
from typing import Any

from support.kubernetes_api import Serving
from support.processes import Emulator, Process, free_port, wait_until
from support.stack import Stack, readiness

LABELS = {"cortex.dev/api": "true", "app.kubernetes.io/component": "api"}


class SharedGateway:
    """The process, and the cluster that it watches."""

    def __init__(self, cluster: Serving, emulator: Emulator, folder: Path) -> None:
        self.cluster = cluster
        self.port, self.admin_port = free_port(), free_port()
        self._emulator = emulator
        self._folder = folder
        self.process: Process | None = None

    def start(self, *options: str) -> Process:
        account = self._folder / "account"
        account.mkdir(exist_ok=True)
        (account / "token").write_text("kubernetes-token")
        argv = [sys.executable, "-m", "cortex_async", "gateway", "--shared", "--server", self.cluster.url]
        argv += [
            "--account",
            str(account),
            "--port",
            str(self.port),
            "--admin-port",
            str(self.admin_port),
            *options,
        ]
        self.process = Process("shared-gateway", argv, self._folder, self._emulator.credentials)
        return self.process

    def is_ready(self) -> None:
        wait_until("the gateway to be ready", lambda: readiness(self.port)[0] == 200, self.process)

    def put(
        self, document: Any, *, namespace: str = "default", name: str | None = None, created: str = ""
    ) -> None:
        """Make or change the ConfigMap of an API."""
        text = document if isinstance(document, str) else json.dumps(document)
        metadata: dict[str, Any] = {
            "name": name or f"api-{document['name']}",
            "namespace": namespace,
            "labels": {**LABELS, "apiName": name or document["name"]},
        }
        if created:
            metadata["creationTimestamp"] = created
        self.cluster.server.add("v1", "configmaps", {"metadata": metadata, "data": {"api.json": text}})

    def serve(self, stack: Stack, namespace: str = "default") -> None:
        """Put a stack's API into the cluster, and let its clients call the shared gateway."""
        self.put(stack.document, namespace=namespace)
        stack.url = f"http://127.0.0.1:{self.port}{stack.document['gateway']['endpoint']}"
