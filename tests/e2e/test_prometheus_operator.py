"""The Prometheus that the Prometheus operator makes finds an API by its PodMonitor, and has the alerts.

Skipped where the cluster has no such operator. `--prometheus-image` and `--prometheus-version` name a Prometheus
other than its default.
"""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from chart.helm_cli import Helm, merged
from chart.objects import find
from e2e.api import LITTLE, Api
from e2e.cluster import Cluster, Failed, succeeds, until

NAME = "seen-by-operator"
SELECTED = {"watched-by": "e2e"}


def _selector() -> dict[str, Any]:
    return {"matchLabels": SELECTED}


def _prometheus(image: str | None, version: str | None) -> list[dict[str, Any]]:
    """A Prometheus that may look at the pods of its namespace, for Pod Security `restricted`."""
    account = {"kind": "ServiceAccount", "name": NAME}
    rights = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    security = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532}
    spec = {
        "replicas": 1,
        "serviceAccountName": NAME,
        "podMonitorSelector": _selector(),
        "ruleSelector": _selector(),
        "resources": LITTLE,
        "securityContext": {**security, "seccompProfile": {"type": "RuntimeDefault"}},
        **({"image": image} if image else {}),
        **({"version": version} if version else {}),
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("v1", "ServiceAccount", {}),
        ("rbac.authorization.k8s.io/v1", "Role", {"rules": [rights]}),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", {"subjects": [account], "roleRef": role}),
        ("monitoring.coreos.com/v1", "Prometheus", {"spec": spec}),
    ]
    return [{"apiVersion": group, "kind": kind, "metadata": {"name": NAME}, **rest} for group, kind, rest in kinds]


def asked(cluster: Cluster, path: str, **query: str) -> Any:
    """What the HTTP API of that Prometheus answers."""
    place = f"/api/v1/namespaces/{cluster.namespace}/services/prometheus-operated:web/proxy/api/v1/{path}"
    return json.loads(cluster.kubectl("get", "--raw", f"{place}?{urlencode(query)}"))["data"]


def test_its_prometheus_scrapes_the_pods_and_has_the_alerts(
    make_api: Callable[..., Api], cluster: Cluster, pytestconfig: pytest.Config, note: Callable[..., None]
) -> None:
    if not succeeds(cluster.kubectl, "get", "crd", "prometheuses.monitoring.coreos.com"):
        pytest.skip("needs the Prometheus operator in the cluster")
    image, version = (pytestconfig.getoption(f"prometheus_{what}") for what in ("image", "version"))
    parts = {part: {"enabled": True, "labels": SELECTED} for part in ("podMonitor", "rules")}
    api = make_api("monitored", monitoring=merged(parts, {"podMonitor": {"interval": "5s"}}))
    began = time.monotonic()
    cluster.apply(*_prometheus(image, version))
    api.install()
    assert api.ended(api.submit({"n": 1}))["status"] == "completed"

    def of(query: str) -> list[dict[str, str]]:
        try:
            found = asked(cluster, "query", query=query)["result"]
        except Failed:
            return []
        return [each["metric"] for each in found if each["value"][1] != "0"]

    until("both pods to be up", lambda: len(of(f'up{{api_name="{api.name}"}}')) == 2, 180)
    seconds = time.monotonic() - began
    pods = set(cluster.pods(api.name) + cluster.pods(api.name, "gateway"))
    assert {each["pod"] for each in of(f'up{{api_name="{api.name}"}}')} == pods
    ended, submitted = (f'cortex_async_{what}_total{{api_name="{api.name}"}}' for what in ("results", "submitted"))
    until("the request to be counted by both", lambda: of(ended) and of(submitted))
    memory = f'process_resident_memory_bytes{{api_name="{api.name}"}}'
    assert {each["pod"] for each in of(memory)} == pods

    objects = Helm(cluster.helm_program).template(api.values, release=api.name, namespace=cluster.namespace)
    rendered = [
        rule["alert"] for group in find(objects, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]
    ]

    def loaded() -> list[dict[str, Any]]:
        return [rule for group in asked(cluster, "rules")["groups"] for rule in group["rules"]]

    until("the alerts to be judged", lambda: {each["health"] for each in loaded()} == {"ok"})
    assert sorted(each["name"] for each in loaded()) == sorted(rendered)
    note(alerts=len(rendered), **{"seconds until both pods were up": round(seconds)})
    api.uninstall()
    cluster.kubectl("delete", "prometheus", NAME)
