"""The operator as a process, before the API server of the tests, and the command that calls it."""

import base64
import gzip
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chart.helm_cli import CHART
from cortex_async_tools.chart import helm
from support.kubernetes_api import ApiServer, Object, Serving
from support.processes import Process, accepts, free_port, wait_until

TOKEN = "let-me-in"
PLATFORM = {
    "aws": {"region": "eu-west-1", "bucket": "results"},
    "securityContext": {"level": "baseline"},
    "image": {"repository": "glue"},
}
CORTEX = Path(sys.executable).with_name("cortex")


class RunningOperator:
    """An operator, as its image starts it; `changes` are laid over a configuration that allows everything."""

    def __init__(self, cluster: Serving, folder: Path, changes: Mapping[str, Any] | None = None) -> None:
        self.server = cluster.server
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token_file = folder / "token"
        self.token_file.write_text(f"another\n{TOKEN}\n")
        deploy = {"enabled": True, "namespaces": ["default"], "values": PLATFORM, "timeoutSeconds": 60}
        document = {
            "port": self.port,
            "clusterName": "test",
            "tokenFile": str(self.token_file),
            "releases": True,
            "deploy": deploy,
            "chart": str(CHART),
            "helm": str(helm.locate(helm.DEFAULT)),
            **(changes or {}),
        }
        file = folder / f"operator-{self.port}.json"
        file.write_text(json.dumps(document))
        argv = [sys.executable, "-m", "cortex_operator", "--config", str(file)]
        self.process = Process(f"operator-{self.port}", argv, folder, {"KUBECONFIG": str(cluster.kubeconfig)})
        wait_until("the operator", lambda: accepts(self.port), self.process)
        self.cli_folder = folder / f"cli-{self.port}"
        self.cli_folder.mkdir()
        environment = {"name": "default", "operator_endpoint": self.url}
        (self.cli_folder / "cli.yaml").write_text(
            json.dumps({"default_environment": "default", "environments": [environment]})
        )

    def environment(self, token: str | None = TOKEN) -> dict[str, str]:
        """The environment variables of a shell that uses this operator."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("CORTEX_")}
        return (
            kept
            | {"CORTEX_CLI_CONFIG_DIR": str(self.cli_folder)}
            | ({"CORTEX_OPERATOR_TOKEN": token} if token else {})
        )

    def cortex(self, *words: str, token: str | None = TOKEN, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the command, as a user would."""
        return subprocess.run(
            [CORTEX, *words],
            env=self.environment(token) | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def add_api(
    server: ApiServer,
    name: str,
    *,
    namespace: str = "default",
    replicas: int = 1,
    values: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
) -> Object:
    """Put into the cluster what the chart renders for an API, and its release."""
    labels = {"apiName": name, "apiKind": "AsyncAPI", "cortex.dev/api": "true"}
    labels |= {"app.kubernetes.io/component": "api", "app.kubernetes.io/instance": name}
    metadata = {"name": f"api-{name}", "namespace": namespace, "labels": labels}
    annotations = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    containers = [{"name": "dispatcher", "image": "glue:1"}, {"name": "api", "image": f"{name}:1"}]
    told = {
        "name": name,
        "pod": {"port": 8080, "maxConcurrency": 4},
        "gateway": {"endpoint": endpoint or f"/{name}"},
    }
    server.add("v1", "configmaps", {"metadata": dict(metadata), "data": {"api.json": json.dumps(told)}})
    gateway = {**labels, "app.kubernetes.io/component": "gateway"}
    service = {"name": f"api-{name}-gateway", "namespace": namespace, "labels": gateway}
    server.add("v1", "services", {"metadata": service, "spec": {"ports": [{"port": 80}]}})
    add_revision(server, name, 1, values or {}, namespace=namespace)
    return server.add(
        "apps/v1",
        "deployments",
        {
            "metadata": {**metadata, "annotations": annotations, "uid": str(uuid.uuid4())},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            },
        },
    )


def add_revision(
    server: ApiServer, name: str, number: int, values: Mapping[str, Any], *, namespace: str = "default"
) -> None:
    """Put a revision of a release into the cluster, as Helm keeps it."""
    chart = {"metadata": {"name": "cortex-async", "version": "0.1.0"}, "values": {"pod": {"port": 8080}}}
    packed = gzip.compress(json.dumps({"chart": chart, "config": values}).encode())
    labels = {"owner": "helm", "name": name, "version": str(number), "status": "deployed"}
    labels["modifiedAt"] = str(1_700_000_000 + number)
    metadata = {"name": f"sh.helm.release.v1.{name}.v{number}", "namespace": namespace, "labels": labels}
    data = {"release": base64.b64encode(base64.b64encode(packed)).decode()}
    server.add("v1", "secrets", {"metadata": metadata, "type": "helm.sh/release.v1", "data": data})
