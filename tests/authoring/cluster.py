"""A server that looks like a cluster with an installed release to helm."""

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cortex_async_tools.chart import helm
from cortex_async_tools.chart.rendering import ASSUMED, run_helm
from support.cluster import serving


@contextmanager
def installed(
    release: str, values: Path, chart: Path, kubeconfig: Path, namespace: str, failed: Path | None = None
) -> Iterator[None]:
    """Serve helm's own record of a release, and write the kubeconfig for it.

    With `failed`, an upgrade to those values failed after it.
    """
    secrets = [_record(release, values, chart, namespace, 1, "deployed")]
    if failed is not None:
        secrets.append(_record(release, failed, chart, namespace, 2, "failed"))
    path_of_secrets = f"/api/v1/namespaces/{namespace}/secrets"
    by_path = {f"{path_of_secrets}/{each['metadata']['name']}": each for each in secrets}

    def answer(path: str) -> dict[str, Any] | None:
        if path == "/version":
            return {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
        if path in by_path:
            return by_path[path]
        here = path.startswith(f"{path_of_secrets}?") and f"name%3D{release}" in path
        return {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": secrets if here else []}

    with serving(answer, kubeconfig):
        yield


def _record(release: str, values: Path, chart: Path, namespace: str, revision: int, status: str) -> dict[str, Any]:
    arguments: list[str | Path] = [
        *("install", release, chart),
        *ASSUMED,
        *("--values", values, "--namespace", namespace),
    ]
    record = json.loads(run_helm(helm.locate(), [*arguments, "--dry-run=client", "--output", "json"]))
    record["info"]["status"] = status
    record["version"] = revision
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.{release}.v{revision}",
            "namespace": namespace,
            "labels": {"name": release, "owner": "helm", "status": status, "version": str(revision)},
        },
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }
