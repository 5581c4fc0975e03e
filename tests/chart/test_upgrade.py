"""What a change of the values changes in a release, and nothing else."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import helm_cli
from chart.helm_cli import ROOT, Helm, Object, at, merged, minimal
from chart.objects import pods

BOTH = {"Deployment/api-hello", "Deployment/api-hello-gateway"}
API = {"Deployment/api-hello"}
GATEWAY = {"Deployment/api-hello-gateway"}
CONFIG = {"ConfigMap/api-hello", "ConfigMap/api-hello-provision"}
ACCOUNTS = {f"ServiceAccount/api-hello{part}" for part in ("", "-gateway")}

CHANGES: list[tuple[str, Any, set[str], set[str]]] = [
    # path, value, pods that restart, other objects that change
    ("storage.retentionDays", 3, BOTH, CONFIG),
    ("queue.maxAttempts", 4, BOTH, CONFIG),
    ("pod.max_concurrency", 4, BOTH, CONFIG),
    ("pod.request_timeout", "30s", BOTH, CONFIG),
    ("gateway.maxPayloadMiB", 64, GATEWAY, CONFIG),
    ("networking.endpoint", "other", GATEWAY, {*CONFIG, "Pod/api-hello-test"}),
    ("serviceAccount.annotations", {"role": "mine"}, BOTH, ACCOUNTS),
    ("gateway.serviceAccount.annotations", {"role": "mine"}, GATEWAY, {"ServiceAccount/api-hello-gateway"}),
    ("client.environment", "other", API, {"Secret/api-hello-client"}),
    ("client.operatorEndpoint", "http://operator:1", API, {"Secret/api-hello-client"}),
    ("podAnnotations", {"a": "b"}, API, set()),
    ("extraEnv", [{"name": "A", "value": "1"}], API, set()),
    ("gateway.podLabels", {"a": "b"}, GATEWAY, set()),
    ("gateway.resources.requests.cpu", "200m", GATEWAY, set()),
    ("autoscaling.max_replicas", 3, set(), set()),
    ("autoscaling.window", "30s", GATEWAY, CONFIG),
    ("safeToEvict", False, API, set()),
    ("monitoring.tracing.endpoint", "http://otel-collector:4318", BOTH, CONFIG),
    ("networkPolicy.kedaFrom", [], set(), set()),
    ("update_strategy.max_surge", 1, set(), {"Deployment/api-hello"}),
    ("gateway.autoscaling.maxReplicas", 30, set(), {"HorizontalPodAutoscaler/api-hello-gateway"}),
    ("gateway.service.port", 8080, set(), {"Service/api-hello-gateway", "Pod/api-hello-test"}),
    ("gateway.podDisruptionBudget.maxUnavailable", 2, set(), {"PodDisruptionBudget/api-hello-gateway"}),
    ("podDisruptionBudget.enabled", True, set(), {"PodDisruptionBudget/api-hello"}),
    ("networking.ingress.enabled", True, set(), {"Ingress/api-hello"}),
    ("networkPolicy.enabled", False, set(), {"NetworkPolicy/api-hello", "NetworkPolicy/api-hello-gateway"}),
    ("provision.backoffLimit", 1, set(), {"Job/api-hello-provision"}),
    ("test.payload", "x", set(), {"Pod/api-hello-test"}),
    (
        "queue.deleteOnUninstall",
        True,
        set(),
        {"Job/api-hello-delete", "ConfigMap/api-hello-provision", "ServiceAccount/api-hello-provision"},
    ),
]


def _by_name(objects: list[Object]) -> dict[str, Object]:
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}


def _templates(objects: list[Object]) -> dict[str, Any]:
    return {
        f"Deployment/{owner['metadata']['name']}": template
        for owner, template in pods(objects)
        if owner["kind"] == "Deployment"
    }


def _upgrade(helm: Helm, values: dict[str, Any]) -> list[Object]:
    return helm.template(values, options=["--is-upgrade"])


@pytest.mark.parametrize(("path", "value", "restarted", "changed"), CHANGES, ids=[each[0] for each in CHANGES])
def test_a_change_touches_only_what_it_is_about(
    helm: Helm, path: str, value: Any, restarted: set[str], changed: set[str]
) -> None:
    before = helm.template(minimal())
    after = _upgrade(helm, merged(minimal(), at(path, value)))
    old, new = _by_name(before), _by_name(after)
    differing = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    assert differing == restarted | changed
    old_pods, new_pods = _templates(before), _templates(after)
    assert {name for name in old_pods if old_pods[name] != new_pods[name]} == restarted


def test_an_upgrade_without_a_change_changes_nothing(helm: Helm) -> None:
    assert _upgrade(helm, minimal()) == helm.template(minimal())


def test_a_new_version_of_the_chart_alone_restarts_nothing(
    helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _templates(helm.template(minimal()))
    newer = tmp_path / "cortex-async"
    shutil.copytree(helm_cli.CHART, newer)
    about = yaml.safe_load((newer / "Chart.yaml").read_text())
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "9.9.9"}))
    monkeypatch.setattr(helm_cli, "CHART", newer)
    after = helm.template(minimal())
    assert after[0]["metadata"]["labels"]["helm.sh/chart"] == "cortex-async-9.9.9"
    assert _templates(after) == before


def test_no_value_changes_a_selector_since_a_cluster_would_refuse_it(helm: Helm) -> None:
    values = yaml.safe_load((ROOT / "values" / "all-options.yaml").read_text())
    before = _by_name(helm.template(minimal()))
    after = _by_name(helm.template(values | {"name": "hello"}))
    for name in BOTH:
        assert before[name]["spec"]["selector"] == after[name]["spec"]["selector"]


def test_replicas_are_left_to_the_gateways_autoscaler(helm: Helm) -> None:
    def gateway(**settings: Any) -> Object:
        rendered = _by_name(helm.template(minimal(gateway=settings)))
        return dict(rendered["Deployment/api-hello-gateway"]["spec"])

    assert "replicas" not in gateway()
    assert gateway(autoscaling={"enabled": False}, replicas=3)["replicas"] == 3


def test_a_gateway_goes_when_another_is_ready_and_nobody_connects_any_more(helm: Helm) -> None:
    spec = _by_name(helm.template(minimal()))["Deployment/api-hello-gateway"]["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = spec["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 60
    (container,) = pod["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["lifecycle"]["preStop"]["exec"]["command"][:2] == ["python", "-c"]
