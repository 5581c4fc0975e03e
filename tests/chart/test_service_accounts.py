"""The Job's service account is a hook, which Helm deletes and makes again: never one that was there before."""

import re
from pathlib import Path
from typing import Any

import pytest

from chart.helm_cli import Helm, Refused, minimal
from chart.objects import find
from support.cluster import serving

MINE = minimal(provision={"serviceAccount": {"name": "team"}})


KINDS = {
    "v1": ["ServiceAccount", "ConfigMap", "Secret", "Service", "Pod"],
    "apps/v1": ["Deployment"],
    "batch/v1": ["Job"],
    "policy/v1": ["PodDisruptionBudget"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
}


def _discovery() -> dict[str, Any]:
    """What a cluster says of the kinds it has, by path."""
    named = [version for version in KINDS if "/" in version]
    versions = {name.split("/")[0]: {"groupVersion": name, "version": name.split("/")[1]} for name in named}
    groups = [{"name": name, "versions": [each], "preferredVersion": each} for name, each in versions.items()]
    answers: dict[str, Any] = {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
    }
    for version, kinds in KINDS.items():
        resources = [
            {"name": re.sub("y$", "ie", kind.lower()) + "s", "kind": kind, "namespaced": True, "verbs": ["get"]}
            for kind in kinds
        ]
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        answers[path] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return answers


def _in_the_cluster(helm: Helm, folder: Path, labels: dict[str, str], values: dict[str, Any]) -> list[Any]:
    """Render in a cluster that has the service account `team`."""
    account = {
        "kind": "ServiceAccount",
        "apiVersion": "v1",
        "metadata": {"name": "team", "namespace": "default", "labels": labels},
    }
    answers = {**_discovery(), "/api/v1/namespaces/default/serviceaccounts/team": account}
    kubeconfig = folder / "kubeconfig"
    with serving(lambda path: answers.get(path.partition("?")[0]), kubeconfig):
        options = ["--dry-run=server", "--disable-openapi-validation", "--kubeconfig", str(kubeconfig)]
        return helm.template(values, options=options)


@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/instance": "another"}])
def test_a_service_account_of_others_is_not_replaced(helm: Helm, tmp_path: Path, labels: dict[str, str]) -> None:
    with pytest.raises(
        Refused, match=r"- provision\.serviceAccount\.name: team is there and is not this release's"
    ):
        _in_the_cluster(helm, tmp_path, labels, MINE)


def test_what_an_earlier_job_left_is_replaced(helm: Helm, tmp_path: Path) -> None:
    objects = _in_the_cluster(helm, tmp_path, {"app.kubernetes.io/instance": "hello"}, MINE)
    assert find(objects, "ServiceAccount", "team")


def test_a_service_account_of_others_is_used(helm: Helm, tmp_path: Path) -> None:
    values = minimal(provision={"serviceAccount": {"name": "team", "create": False}})
    objects = _in_the_cluster(helm, tmp_path, {}, values)
    assert find(objects, "Job")["spec"]["template"]["spec"]["serviceAccountName"] == "team"
    assert "team" not in [each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"]
