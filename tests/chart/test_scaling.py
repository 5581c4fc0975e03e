"""What scales the API's pods, and that nothing of the chart sets their number."""

from typing import Any

import pytest

from chart.helm_cli import Helm, Object, Refused, minimal
from chart.kubernetes import validate
from chart.objects import api_json, find, kinds

KEDA = ["--api-versions", "keda.sh/v1alpha1/ScaledObject"]


def render(helm: Helm, *, keda: bool = True, options: tuple[str, ...] = (), **autoscaling: Any) -> list[Object]:
    return helm.template(minimal(autoscaling=autoscaling), options=[*(KEDA if keda else ()), *options])


def scaled(helm: Helm, **autoscaling: Any) -> dict[str, Any]:
    spec: dict[str, Any] = find(render(helm, **autoscaling), "ScaledObject", "api-hello")["spec"]
    return spec


def behavior(helm: Helm, **autoscaling: Any) -> dict[str, Any]:
    found: dict[str, Any] = scaled(helm, **autoscaling)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    return found


@pytest.mark.parametrize(
    ("engine", "keda", "scales"),
    [("auto", True, True), ("auto", False, False), ("keda", False, True), ("none", True, False)],
)
def test_keda_scales_when_it_is_there_or_asked_for(helm: Helm, engine: str, keda: bool, scales: bool) -> None:
    assert ("ScaledObject" in kinds(render(helm, keda=keda, engine=engine))) == scales


@pytest.mark.parametrize("engine", ["auto", "none"])
@pytest.mark.parametrize("upgrade", [False, True])
def test_no_installation_and_no_upgrade_sets_the_number_of_replicas(
    helm: Helm, engine: str, upgrade: bool
) -> None:
    options = ("--is-upgrade",) if upgrade else ()
    choices: list[dict[str, Any]] = [{}, {"min_replicas": 3}, {"init_replicas": 5}, {"min_replicas": 0}]
    for autoscaling in choices:
        objects = render(helm, options=options, engine=engine, **autoscaling)
        assert "replicas" not in find(objects, "Deployment", "api-hello")["spec"]


@pytest.mark.parametrize(
    ("autoscaling", "initial"),
    [
        ({}, None),
        ({"min_replicas": 3}, None),  # the HPA sees to it
        ({"init_replicas": 5}, 5),
        ({"min_replicas": 0, "init_replicas": 0}, 0),
        ({"engine": "none"}, None),
        ({"engine": "none", "min_replicas": 3}, 3),
        ({"engine": "none", "min_replicas": 2, "init_replicas": 5}, 5),
    ],
)
def test_init_replicas_are_set_once_after_the_first_installation(
    helm: Helm, autoscaling: dict[str, Any], initial: int | None
) -> None:
    objects = [each for each in render(helm, **autoscaling) if each["metadata"]["name"] == "api-hello-initial"]
    if initial is None:
        assert not objects
        return
    assert {each["metadata"]["annotations"]["helm.sh/hook"] for each in objects} == {"post-install"}
    (container,) = find(objects, "Job")["spec"]["template"]["spec"]["containers"]
    assert container["args"][-2:] == ["--replicas", str(initial)]
    assert find(objects, "Role")["rules"] == [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments/scale"],
            "resourceNames": ["api-hello"],
            "verbs": ["patch"],
        }
    ]


def test_the_limits_and_periods_are_those_of_the_values(helm: Helm) -> None:
    spec = scaled(helm, min_replicas=0, max_replicas=7, downscale_stabilization_period="90s")
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 7)
    assert spec["cooldownPeriod"] == 90
    assert spec["scaleTargetRef"] == {"name": "api-hello"}
    assert spec["fallback"] == {"failureThreshold": 3, "behavior": "currentReplicas", "replicas": 1}


def test_what_matters_at_zero_only_is_not_told_elsewhere_since_keda_warns_of_it(helm: Helm) -> None:
    at_zero = {"pollingInterval", "cooldownPeriod", "initialCooldownPeriod"}
    assert at_zero < scaled(helm, min_replicas=0).keys()
    assert at_zero.isdisjoint(scaled(helm, min_replicas=1))


def test_keda_reads_the_gateway_and_needs_no_keys(helm: Helm) -> None:
    objects = render(helm, target_in_flight=2.5, window="90s")
    (trigger,) = find(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["type"] == "metrics-api"
    assert trigger["metadata"]["url"] == "http://api-hello-gateway-admin.default.svc:15001/scaling"
    assert float(trigger["metadata"]["targetValue"]) == 2.5
    assert api_json(objects)["scaling"] == {"targetInFlight": 2.5, "windowSeconds": 90}
    assert "TriggerAuthentication" not in kinds(objects)


def test_the_target_is_max_concurrency_unless_given(helm: Helm) -> None:
    objects = helm.template(minimal(pod={"max_concurrency": 8}), options=KEDA)
    (trigger,) = find(objects, "ScaledObject")["spec"]["triggers"]
    assert float(trigger["metadata"]["targetValue"]) == 8


def test_keda_can_read_sqs_itself_by_a_secret_or_its_own_role(helm: Helm) -> None:
    objects = render(helm, trigger="sqs", target_in_flight=4)
    (trigger,) = find(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["type"] == "aws-sqs-queue"
    assert trigger["metadata"] == {
        "queueURL": "cortex-hello",
        "queueLength": "4",
        "awsRegion": "eu-west-1",
        "scaleOnInFlight": "true",
    }
    assert trigger["authenticationRef"] == {"name": "api-hello"}
    assert find(objects, "TriggerAuthentication")["spec"] == {"podIdentity": {"provider": "aws"}}
    values = minimal(autoscaling={"trigger": "sqs"}, aws={"credentialsSecret": "keys"})
    spec = find(helm.template(values, options=KEDA), "TriggerAuthentication")["spec"]
    assert [each["key"] for each in spec["secretTargetRef"]] == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]


def test_sqs_takes_whole_targets_only(helm: Helm) -> None:
    with pytest.raises(Refused, match=r"- autoscaling.target_in_flight: 2.5 is no whole number"):
        render(helm, trigger="sqs", target_in_flight=2.5)
    render(helm, trigger="sqs", target_in_flight=2.5, engine="none")


def policies(rules: dict[str, Any]) -> dict[str, int]:
    assert rules["selectPolicy"] == "Max"
    return {each["type"]: each["value"] for each in rules["policies"]}


@pytest.mark.parametrize(
    ("up", "down", "percent_up", "percent_down"),
    [(1.5, 0.75, 50, 25), (3, 0, 200, 100), (1.001, 0.999, None, None), (1.333, 0.667, 33, 33)],
)
def test_a_step_is_limited_by_its_factor_but_one_replica_may_always_come_or_go(
    helm: Helm, up: float, down: float, percent_up: int | None, percent_down: int | None
) -> None:
    found = behavior(helm, max_upscale_factor=up, max_downscale_factor=down)
    for rules, percent in ((found["scaleUp"], percent_up), (found["scaleDown"], percent_down)):
        assert policies(rules) == ({"Pods": 1} if percent is None else {"Pods": 1, "Percent": percent})


def test_stabilization_lasts_as_long_as_the_values_say_and_at_most_the_hour_that_the_hpa_takes(helm: Helm) -> None:
    found = behavior(helm, upscale_stabilization_period="0s", downscale_stabilization_period="2h")
    assert found["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert found["scaleDown"]["stabilizationWindowSeconds"] == 3600


@pytest.mark.parametrize(("version", "known"), [("1.34.4", False), ("1.35.0", True), ("1.37.1", True)])
def test_tolerance_is_the_hpas_where_the_cluster_has_it(helm: Helm, version: str, known: bool) -> None:
    values = minimal(autoscaling={"upscale_tolerance": 0.2})
    objects = helm.template(values, options=[*KEDA, "--kube-version", version])
    rules = find(objects, "ScaledObject")["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert rules["scaleUp"].get("tolerance") == ("200m" if known else None)
    assert rules["scaleDown"].get("tolerance") == ("50m" if known else None)


@pytest.mark.parametrize(
    ("given", "written"),
    [(0, "0"), (0.05, "50m"), (0.0005, "500u"), (0.1234, "123400u"), (1, "1"), (1.5, "1500m")],
)
def test_tolerance_is_written_as_keda_writes_it_so_that_a_second_apply_does_not_conflict(
    helm: Helm, given: float, written: str
) -> None:
    values = minimal(autoscaling={"engine": "keda", "upscale_tolerance": given})
    objects = helm.template(values, options=["--kube-version", "1.35.0"])
    advanced = find(objects, "ScaledObject")["spec"]["advanced"]
    assert advanced["horizontalPodAutoscalerConfig"]["behavior"]["scaleUp"]["tolerance"] == written


def test_only_keda_and_monitoring_may_read_the_admin_port_of_the_gateway(helm: Helm) -> None:
    def readers(objects: list[Object], name: str) -> Any:
        rules = find(objects, "NetworkPolicy", name)["spec"]["ingress"]
        return [each.get("from") for each in rules if each["ports"][0]["port"] in (15000, 15001)]

    keda = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert readers(render(helm), "api-hello-gateway") == [[keda]]
    assert readers(render(helm, trigger="sqs"), "api-hello-gateway") == []
    assert readers(render(helm, keda=False), "api-hello-gateway") == []
    objects = helm.template(minimal(networkPolicy={"monitoringFrom": [prometheus]}), options=KEDA)
    assert readers(objects, "api-hello-gateway") == [[prometheus, keda]]
    assert readers(objects, "api-hello") == [[prometheus]]


def test_no_route_leads_to_the_admin_port(helm: Helm) -> None:
    networking = {
        "ingress": {"enabled": True},
        "istio": {"enabled": True},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
    }
    objects = helm.template(minimal(networking=networking, gateway={"service": {"type": "LoadBalancer"}}))
    assert find(objects, "Service", "api-hello-gateway-admin")["spec"]["type"] == "ClusterIP"
    ports = find(objects, "Service", "api-hello-gateway")["spec"]["ports"]
    assert [each["targetPort"] for each in ports] == ["http"]
    for kind in ("Ingress", "VirtualService", "HTTPRoute"):
        assert "-admin" not in str(find(objects, kind)["spec"])


def test_notes_are_loud_where_nothing_scales(helm4: Helm) -> None:
    assert "NOTHING SCALES THE PODS" in helm4.notes(minimal())
    assert "NOTHING SCALES" not in helm4.notes(minimal(autoscaling={"engine": "none"}))
    assert "from 0 to 9" in helm4.notes(
        minimal(autoscaling={"engine": "keda", "min_replicas": 0, "max_replicas": 9})
    )


@pytest.mark.parametrize(
    "autoscaling", [{}, {"trigger": "sqs"}, {"init_replicas": 4}, {"max_upscale_factor": 1.001}]
)
def test_what_scales_is_valid(helm: Helm, autoscaling: dict[str, Any]) -> None:
    validate(render(helm, **autoscaling))


def test_nodes_may_or_may_not_go_as_the_values_say(helm: Helm) -> None:
    def annotations(**values: Any) -> dict[str, str]:
        template = find(helm.template(minimal(**values)), "Deployment", "api-hello")["spec"]["template"]
        found: dict[str, str] = template["metadata"]["annotations"]
        return found

    assert not [name for name in annotations() if "evict" in name or "karpenter" in name]
    found = annotations(safeToEvict=False)
    assert found["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert found["karpenter.sh/do-not-disrupt"] == "true"
