"""kubectl and helm, on the cluster of a kubeconfig."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cortex_async_tools.chart import helm

CHART = Path(__file__).parents[2] / "charts" / "cortex-async"
CALL_SECONDS = 600


class Failed(Exception):
    """A command did not end with 0; the text is all that it printed."""


class Cluster:
    """One namespace of a cluster, which enforces Pod Security `restricted`."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.helm_program = helm.locate()

    def kubectl(self, *words: str, text: str | None = None, timeout: float = CALL_SECONDS) -> str:
        """Run kubectl in the namespace and return its standard output, without its warnings; raises Failed."""
        return self._run(["kubectl", "--namespace", self.namespace, *words], text, timeout)[0]

    def get(self, kind: str, *words: str) -> Any:
        """Return an object, or the items of a list."""
        found = json.loads(self.kubectl("get", kind, *words, "--output", "json"))
        return found.get("items", found)

    def apply(self, *objects: dict[str, Any]) -> None:
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--filename", "-", text=json.dumps(document))

    def helm(self, *words: str, values: dict[str, Any] | None = None, timeout: float = CALL_SECONDS) -> str:
        """Run helm in the namespace and return what it printed on both streams; raises Failed."""
        arguments = [str(self.helm_program), "--namespace", self.namespace, *words]
        if values is None:
            return "".join(self._run(arguments, None, timeout))
        return "".join(self._run([*arguments, "--values", "-"], json.dumps(values), timeout))

    def exec(self, target: str, *words: str, container: str | None = None) -> str:
        chosen = ["--container", container] if container else []
        return self.kubectl("exec", target, *chosen, "--", *words)

    def python(self, target: str, code: str, container: str | None = None) -> str:
        return self.exec(target, "python", "-c", code, container=container)

    def pods(self, api: str, component: str = "api") -> list[str]:
        """Names of the pods that run and have not been told to stop."""
        found = self.get("pods", "--selector", f"apiName={api},app.kubernetes.io/component={component}")
        return [
            pod["metadata"]["name"]
            for pod in found
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    def _run(self, command: list[str], text: str | None, timeout: float) -> tuple[str, str]:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout, done.stderr


@contextlib.contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """Stop the S3 and SQS server: it accepts connections, and answers nobody."""
    cluster.exec("emulator", "sh", "-c", "kill -STOP $(cat /tmp/pid)")
    try:
        yield
    finally:
        cluster.exec("emulator", "sh", "-c", "kill -CONT $(cat /tmp/pid)")


def succeeds(command: Callable[..., str], *words: Any) -> bool:
    """Run a command that raises Failed; whether it ended with 0."""
    try:
        command(*words)
    except Failed:
        return False
    return True


def until(what: str, condition: Callable[[], Any], timeout: float = 120) -> Any:
    """Look every half second until `condition()` is true, and return what it returned."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {timeout} s for {what}"
        time.sleep(0.5)
    return found
