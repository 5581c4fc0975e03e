"""A real Prometheus (Debian's package) scrapes the pods, and is asked all that the dashboard and the alerts ask.

It runs where the suites do, and reaches pods and kubelets by the API server's proxy. What is asked of exporters
that a cluster may not have, kube-state-metrics and NVIDIA's, is left out.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chart.helm_cli import Helm, Object, merged
from chart.objects import find
from dashboard.__main__ import Line, alerts_wrong, judged, lines
from dashboard.prometheus import RATE_INTERVAL, Prometheus, Target
from e2e.api import Api
from e2e.cluster import Cluster, frozen, succeeds, until
from support.processes import Process, free_port, wait_until

OF_OTHERS = ("kube_", "DCGM_")
STEP_SECONDS = 2
MAY_BE_ZERO = {"dead letters", "waiting", "given back on shutdown"}
PAYLOADS: list[dict[str, Any]] = [{"sleep": 0.3}, {"sleep": 1}, {"status": 418}, {"status": 503}]
ROUNDS = 10


@pytest.fixture
def proxy(cluster: Cluster, tmp_path: Path) -> Iterator[int]:
    """A port of this machine where the API server answers without asking who calls."""
    port = free_port()
    argv = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "proxy", "--port", str(port)]
    process = Process("proxy", argv, tmp_path)
    wait_until("kubectl proxy", lambda: "Starting to serve" in process.log, process)
    yield port
    process.kill()


def targets(cluster: Cluster, api: Api, port: int) -> list[Target]:
    """The pods, with the labels that the PodMonitor has Prometheus give them, and the kubelets."""
    found = [f"/api/v1/nodes/{each['metadata']['name']}/proxy/metrics/resource" for each in cluster.get("nodes")]
    pods = [(name, 15000) for name in cluster.pods(api.name)]
    pods += [(name, 15001) for name in cluster.pods(api.name, "gateway")]
    labels = [
        {
            "__metrics_path__": f"/api/v1/namespaces/{cluster.namespace}/pods/{name}:{number}/proxy/metrics",
            "namespace": cluster.namespace,
            "pod": name,
            "api_name": api.name,
        }
        for name, number in pods
    ]
    return [Target(port, each) for each in [*labels, *({"__metrics_path__": path} for path in found)]]


def test_dashboard_and_alerts_find_data(
    make_api: Callable[..., Api], cluster: Cluster, proxy: int, tmp_path: Path, note: Callable[..., None]
) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus where the suites run: apt-get install prometheus")
    api = make_api("charted", queue={"maxAttempts": 2})
    api.install()
    wanted = {part: {"enabled": True} for part in ("rules", "dashboard")}
    values = merged(api.values, {"monitoring": wanted})
    objects = Helm(cluster.helm_program).template(values, release=api.name, namespace=cluster.namespace)
    prometheus = Prometheus(
        tmp_path / "prometheus", targets(cluster, api, proxy), find(objects, "PrometheusRule")["spec"]
    )
    try:
        asked = list(_asked(objects, api.name))
        until("all targets to be scraped", lambda: prometheus.down() == [])
        began = time.time()
        for _ in range(ROUNDS):
            for each in [api.submit({"n": 1, **payload}) for payload in PAYLOADS]:
                api.ended(each)
        with frozen(cluster):  # calls to AWS fail, which one of the alerts counts
            succeeds(api.submit, {"n": 1})
        wrong = _wrong(prometheus, asked, began)
        alerts = prometheus.rules()
    finally:
        prometheus.process.kill()
    note(queries=len(asked), alerts=len(alerts))
    assert wrong == []
    api.uninstall()


def _asked(objects: Sequence[Object], name: str) -> Iterator[Line]:
    """The dashboard's queries; rates over more time than the kubelet takes between two looks at a container."""
    for line in lines(objects, name):
        if not any(word in line.query for word in OF_OTHERS):
            yield replace(line, query=line.query.replace(f"[{RATE_INTERVAL}]", "[1m]"))


def _wrong(prometheus: Prometheus, asked: list[Line], began: float) -> list[str]:
    """What is empty, or always 0; asked again until nothing is, since points come with time."""
    end = time.monotonic() + 60
    while True:
        found = [(each, prometheus.range(each.query, began, time.time(), STEP_SECONDS)) for each in asked]
        wrong = [problem for line, series in found if (problem := judged(line, series)) if not _may_be(problem)]
        wrong += [each for each in alerts_wrong(prometheus) if not any(word in each for word in OF_OTHERS)]
        wrong += prometheus.down()
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(STEP_SECONDS)


def _may_be(problem: str) -> bool:
    return "always 0" in problem and any(f", {legend}:" in problem for legend in MAY_BE_ZERO)
