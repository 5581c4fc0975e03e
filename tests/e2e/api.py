"""An API as the suites install it, and its client."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chart.helm_cli import merged
from e2e.cluster import CHART, Cluster, Failed, until

KEYS = [{"name": "AWS_ACCESS_KEY_ID", "value": "x"}, {"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]
LITTLE = {"requests": {"cpu": "10m", "memory": "32Mi"}}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Images:
    glue: str
    example: str
    warm_model: str
    emulator: str
    operator: str
    client: str
    otel: str

    def values(self) -> dict[str, Any]:
        """What every release of the suites says: the image, and requests that a small node has room for."""
        repository, _, tag = self.glue.rpartition(":")
        return {
            "image": {"repository": repository, "tag": tag},
            "gateway": {"resources": LITTLE, "autoscaling": {"enabled": False}, "replicas": 1},
            **{part: {"resources": LITTLE} for part in ("dispatcher", "provision", "emulator")},
        }


def plain_pod(name: str, image: str, command: list[str], port: int, **env: str) -> list[dict[str, Any]]:
    """A pod with the suites' programs under /e2e, and its Service."""
    container = {
        "name": name,
        "image": image,
        "command": command,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "resources": LITTLE,
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "programs", "mountPath": "/e2e"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "containers": [container],
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "volumes": [{"name": "programs", "configMap": {"name": "programs"}}, {"name": "tmp", "emptyDir": {}}],
    }
    about = {"name": name, "labels": {"app": name}}
    ports = [{"port": port, "targetPort": port}]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": pod},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {"selector": {"app": name}, "ports": ports},
        },
    ]


class Api:
    """One release of the chart."""

    def __init__(self, cluster: Cluster, images: Images, name: str, changes: dict[str, Any]) -> None:
        self.cluster = cluster
        self.images = images
        self.name = name
        self.url = f"http://api-{name}-gateway/{name}"
        self.values = merged(self._usual(), changes)

    def _usual(self) -> dict[str, Any]:
        own = {
            "pod": {"port": 8080, "max_concurrency": 4, "containers": [self.container()]},
            "aws": {
                "region": "us-east-1",
                "bucket": "results",
                "endpointUrl": f"http://emulator.{self.cluster.namespace}.svc:4566",
                "extraEnv": KEYS,
            },
            "autoscaling": {"engine": "none"},  # also where the cluster has KEDA: the suites count pods
            "extraVolumes": [{"name": "programs", "configMap": {"name": "programs"}}],
            "extraVolumeMounts": [{"name": "programs", "mountPath": "/e2e", "readOnly": True}],
        }
        return merged(self.images.values(), own)

    def container(self, **env: str) -> dict[str, Any]:
        return {
            "name": "web",
            "image": self.images.example,
            "command": ["python", "/e2e/web.py"],
            "env": env,
            "compute": {"cpu": "20m", "mem": "64Mi"},
            "readiness_probe": {"http_get": {"port": 8080, "path": "/healthz"}, "period_seconds": 1},
        }

    def install(self, changes: dict[str, Any] | None = None, *options: str, timeout: str = "180s") -> str:
        """Install or upgrade, and wait until all is ready; raises Failed."""
        words = ["upgrade", "--install", self.name, str(CHART), "--wait", "--timeout", timeout, *options]
        return self.cluster.helm(*words, values=merged(self.values, changes or {}))

    def uninstall(self) -> None:
        self.cluster.helm("uninstall", self.name, "--wait", "--ignore-not-found")

    def submit(self, payload: dict[str, Any]) -> str:
        """Submit through the API server's proxy, as nobody but a test would; raises Failed when it is refused."""
        raw = ["create", "--raw", self._path(), "--filename", "-"]
        return str(json.loads(self.cluster.kubectl(*raw, text=json.dumps(payload)))["id"])

    def status(self, request_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.cluster.kubectl("get", "--raw", f"{self._path()}/{request_id}"))
        return answer

    def ended(self, request_id: str, timeout: float = 120) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            try:
                answer = self.status(request_id)
            except Failed:
                return None
            return answer if answer["status"] in ("completed", "failed") else None

        found: dict[str, Any] = until(f"{request_id} to end", look, timeout)
        return found

    def _path(self) -> str:
        gateway = "cortex-gateway" if self.values["gateway"].get("shared") else f"api-{self.name}-gateway"
        place = f"/api/v1/namespaces/{self.cluster.namespace}/services/{gateway}:http/proxy"
        return f"{place}/{self.name}"

    @contextlib.contextmanager
    def load(self, rate: float = 10, ramp: float = 0, **payload: Any) -> Iterator[dict[str, Any]]:
        """Submit at that rate meanwhile, after `ramp` seconds; what is yielded holds the figures afterwards."""
        figures: dict[str, Any] = {}
        with self.witness(self.url, rate, payload, ramp):
            time.sleep(3)
            yield figures
            time.sleep(3)
            self.cluster.exec("witness", "touch", "/tmp/stop")
            self.cluster.kubectl(
                "wait", "pod/witness", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=400s"
            )
            figures.update(json.loads(self.cluster.kubectl("logs", "witness").splitlines()[-1]))

    @contextlib.contextmanager
    def witness(self, url: str, rate: float, payload: dict[str, Any], ramp: float) -> Iterator[None]:
        command = ["python", "/e2e/load.py", url, str(rate), json.dumps(payload), str(ramp)]
        self.cluster.apply(*plain_pod("witness", self.images.glue, command, 8000))
        try:
            self.cluster.kubectl("wait", "pod/witness", "--for=condition=Ready", "--timeout=60s")
            yield
        finally:
            self.cluster.kubectl("delete", "pod/witness", "service/witness", "--grace-period=0", "--force")
