"""`gateway.shared`: the release leaves the gateway to that of the cluster, and points everything there."""

import pytest

from chart.helm_cli import Helm, Refused, at, merged, minimal
from chart.kubernetes import validate
from chart.objects import container, find, kinds

SHARED = at("gateway", {"shared": True})


def test_nothing_of_the_gateway_is_left_in_the_release(helm: Helm) -> None:
    own = helm.template(minimal())
    shared = helm.template(merged(minimal(), SHARED))
    validate(shared)
    gone = {(each["kind"], each["metadata"]["name"]) for each in own} - {
        (each["kind"], each["metadata"]["name"]) for each in shared
    }
    assert gone == {
        ("Deployment", "api-hello-gateway"),
        ("HorizontalPodAutoscaler", "api-hello-gateway"),
        ("NetworkPolicy", "api-hello-gateway"),
        ("PodDisruptionBudget", "api-hello-gateway"),
        ("Service", "api-hello-gateway"),
        ("Service", "api-hello-gateway-admin"),
        ("ServiceAccount", "api-hello-gateway"),
    }
    assert find(shared, "ConfigMap", "api-hello") == find(own, "ConfigMap", "api-hello")


def test_keda_reads_the_shared_gateway_by_namespace_and_name(helm: Helm) -> None:
    values = merged(minimal(autoscaling={"engine": "keda"}), SHARED)
    (trigger,) = find(helm.template(values, namespace="apis"), "ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["url"] == "http://cortex-gateway-admin.default.svc:15001/scaling/apis/hello"


def test_istio_and_helm_test_go_to_the_shared_gateway_wherever_it_is(helm: Helm) -> None:
    named = {"shared": True, "sharedName": "front", "sharedNamespace": "platform"}
    values = minimal(networking={"istio": {"enabled": True}}, gateway=named)
    objects = helm.template(values)
    (route,) = find(objects, "VirtualService")["spec"]["http"]
    host = "front.platform.svc.cluster.local"
    assert route["route"] == [{"destination": {"host": host, "port": {"number": 80}}}]
    smoke = container(find(objects, "Pod")["spec"], "smoke")
    assert f"--url=http://{host}:80/hello" in smoke["args"]


@pytest.mark.parametrize("provider", ["httpRoute", "ingress"])
def test_routes_that_cannot_lead_to_another_namespace_are_refused(helm: Helm, provider: str) -> None:
    own = {"enabled": True} | ({"parentRefs": [{"name": "public"}]} if provider == "httpRoute" else {})
    with pytest.raises(Refused, match=f"networking.{provider}.enabled: not together with gateway.shared"):
        helm.template(merged(minimal(networking={provider: own}), SHARED))


def test_notes_tell_where_the_api_answers(helm4: Helm) -> None:
    notes = helm4.notes(merged(minimal(), SHARED))
    assert "http://cortex-gateway.default.svc.cluster.local/hello" in notes
    assert "kubectl -n default port-forward service/cortex-gateway 8888:80" in notes


def test_a_release_without_a_gateway_may_use_its_service_account_for_something_else(helm: Helm) -> None:
    values = merged(minimal(gateway={"serviceAccount": {"name": "api-hello"}}), SHARED)
    assert "ServiceAccount" in kinds(helm.template(values))
