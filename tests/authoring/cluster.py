"""A server that looks like a cluster with an installed release to helm."""

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cortex_async_tools.chart import helm
from cortex_async_tools.chart.rendering import run_helm
from support.cluster import serving


@contextmanager
def installed(release: str, values: Path, chart: Path, kubeconfig: Path, namespace: str) -> Iterator[None]:
    """Serve helm's own record of a release, and write the kubeconfig for it."""
    arguments: list[str | Path] = ["install", release, chart, "--values", values, "--namespace", namespace]
    record = json.loads(run_helm(helm.locate(), [*arguments, "--dry-run=client", "--output", "json"]))
    record["info"]["status"] = "deployed"
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    secret = {
        "metadata": {
            "name": f"sh.helm.release.v1.{release}.v1",
            "namespace": namespace,
            "labels": {"name": release, "owner": "helm", "status": "deployed", "version": "1"},
        },
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }

    def answer(path: str) -> dict[str, Any]:
        if path == "/version":
            return {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
        here = path.startswith(f"/api/v1/namespaces/{namespace}/secrets?") and f"name%3D{release}" in path
        return {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": [secret] if here else []}

    with serving(answer, kubeconfig):
        yield
