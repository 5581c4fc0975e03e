"""What Argo CD, Flux and `kubectl apply` do: apply what is rendered, again and again, without Helm."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from chart.helm_cli import Helm, merged
from cortex_async_tools.chart import helm
from e2e.api import Api
from e2e.cluster import Cluster, Failed, until

MakeApi = Callable[..., Api]
GITOPS = {"gitops": {"enabled": True}}
STILL = {"ConfigMap", "Secret", "Service", "ServiceAccount", "NetworkPolicy"}
"""Kinds that no controller writes into: their version is that of the last change."""


def _applied(cluster: Cluster, manifest: str) -> Mapping[str, str]:
    """Apply on the server's side; return the version of each object."""
    words = ["apply", "--server-side", "--field-manager", "gitops", "--filename", "-", "--output", "json"]
    found = json.loads(cluster.kubectl(*words, text=manifest))
    return {_name(each): each["metadata"]["resourceVersion"] for each in found.get("items", [found])}


def _name(each: Mapping[str, Any]) -> str:
    return f"{each['kind']}/{each['metadata']['name']}"


def _specification(cluster: Cluster, names: Mapping[str, str]) -> dict[str, Any]:
    """The generation of each object: it grows with every change of what is asked for."""
    objects = cluster.get(",".join(sorted({name.partition("/")[0] for name in names})))
    assert {_name(each) for each in objects} >= names.keys()
    return {_name(each): each["metadata"].get("generation") for each in objects if _name(each) in names}


def test_keda_and_a_second_apply_leave_each_others_scaled_object_alone(
    make_api: MakeApi, cluster: Cluster
) -> None:
    """Rendered for the newest Kubernetes, whose HPA has tolerances: KEDA writes the object when it sees it."""
    try:
        cluster.kubectl("get", "crd", "scaledobjects.keda.sh")
    except Failed:
        pytest.skip("the cluster has no KEDA")
    api = make_api("scaledby", **GITOPS, autoscaling={"engine": "keda", "min_replicas": 0})
    manifest = Helm(helm.locate()).manifest(api.values, release=api.name, namespace=cluster.namespace)
    objects = [each for each in yaml.safe_load_all(manifest) if each and each["kind"] == "ScaledObject"]
    first = _applied(cluster, yaml.safe_dump_all(objects))
    until("KEDA's finalizer", lambda: cluster.get(f"scaledobject/api-{api.name}")["metadata"].get("finalizers"))
    before = _specification(cluster, first)
    _applied(cluster, yaml.safe_dump_all(objects))
    assert _specification(cluster, first) == before
    cluster.kubectl("delete", "scaledobject", f"api-{api.name}")


def test_applied_twice_nothing_changes_and_an_edit_provisions_anew(make_api: MakeApi, cluster: Cluster) -> None:
    api = make_api("gitops", **GITOPS)
    program = Helm(helm.locate())

    def manifest(**changes: Any) -> str:
        return program.manifest(merged(api.values, changes), release="gitops", namespace=cluster.namespace)

    assert "helm.sh/hook" not in manifest()
    first = _applied(cluster, manifest())
    for part in ("api-gitops", "api-gitops-gateway"):
        cluster.kubectl("rollout", "status", f"deployment/{part}", "--timeout=180s")
    assert api.ended(api.submit({"n": 1}))["result"]["n"] == 1
    before = _specification(cluster, first)
    again = _applied(cluster, manifest())
    assert again.keys() == first.keys()
    assert _specification(cluster, first) == before
    still = {name for name in first if name.partition("/")[0] in STILL}
    assert {name: again[name] for name in still} == {name: first[name] for name in still}

    edited = manifest(queue={"maxAttempts": 7})
    jobs = {each["metadata"]["name"] for each in yaml.safe_load_all(edited) if each and each["kind"] == "Job"}
    assert not {f"Job/{name}" for name in jobs} & first.keys()
    _applied(cluster, edited)
    for name in jobs:
        cluster.kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=120s")
    accepted = until("a submit to be accepted", lambda: api.submit({"n": 2}))
    assert api.ended(accepted)["result"]["n"] == 2
    cluster.kubectl("delete", "--filename", "-", "--ignore-not-found", text=edited)
    cluster.kubectl("delete", "job", "--selector", "apiName=gitops")
