"""One gateway for two APIs, and a container of one that uses the other with no configuration."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chart.helm_cli import ROOT
from e2e.api import KEYS, LITTLE, Api, Images
from e2e.cluster import Cluster, Failed, until

MakeApi = Callable[..., Api]
CHAINING = "http://ingressgateway-apis.istio-system.svc.cluster.local"
OPERATOR_CHART = ROOT / "charts" / "cortex-operator"


@pytest.fixture(scope="module")
def front(cluster: Cluster, images: Images) -> Iterator[str]:
    """The operator's chart with its shared gateway, for this namespace alone; the URL of the gateway."""

    def image(name: str) -> dict[str, str]:
        repository, _, tag = name.rpartition(":")
        return {"repository": repository, "tag": tag}

    values = {
        "image": image(images.operator),
        "namespaces": [cluster.namespace],
        "resources": {"requests": LITTLE["requests"]},
        "gateway": {
            "enabled": True,
            "image": image(images.glue),
            "autoscaling": {"enabled": False},
            "replicas": 2,
            "resources": {"requests": LITTLE["requests"]},
            "aws": {"extraEnv": KEYS},
        },
        "chaining": {"enabled": True},
    }
    words = ["upgrade", "--install", "operator", str(OPERATOR_CHART), "--wait", "--timeout", "180s"]
    cluster.helm(*words, values=values)
    yield f"http://cortex-gateway.{cluster.namespace}.svc.cluster.local"
    is_made = is_ours(cluster)
    cluster.helm("uninstall", "operator", "--wait")
    if is_made:  # helm keeps it, since others may use it by then
        cluster.kubectl("delete", "namespace", "istio-system", "--wait=false")


def is_ours(cluster: Cluster) -> bool:
    """Whether the namespace of the chaining address was made by this release."""
    annotations = cluster.get("namespace/istio-system")["metadata"].get("annotations", {})
    return bool(annotations.get("meta.helm.sh/release-namespace") == cluster.namespace)


@pytest.fixture(scope="module")
def shared(make_api: MakeApi, cluster: Cluster, front: str) -> Iterator[dict[str, Api]]:
    """Two APIs without gateways of their own: `reader`, and `asker`, whose container asks it."""
    gateway = {"shared": True, "sharedNamespace": cluster.namespace}
    client = {"operatorEndpoint": f"http://operator.{cluster.namespace}.svc.cluster.local:8888"}
    apis = {name: make_api(name, gateway=gateway, client=client) for name in ("reader", "asker")}
    container = apis["asker"].container(READER=f"{front}/reader")
    container |= {"image": apis["asker"].images.client, "command": ["python", "/e2e/ask.py"]}
    apis["asker"].values["pod"]["containers"] = [container]
    for each in apis.values():
        each.install()
    yield apis
    for each in apis.values():
        each.uninstall()


def test_releases_have_no_gateway_of_their_own_and_helm_test_passes(
    cluster: Cluster, shared: dict[str, Api]
) -> None:
    found = cluster.get("pods", "--selector", "app.kubernetes.io/component=gateway")
    assert [each for each in found if each["metadata"]["labels"].get("apiName") in shared] == []
    assert len(cluster.get("pods", "--selector", "app.kubernetes.io/name=cortex-gateway")) == 2
    cluster.helm("test", "reader", "--timeout", "120s")


def test_a_container_lists_submits_and_reads_with_no_configuration(shared: dict[str, Api], front: str) -> None:
    asker = shared["asker"]
    answer = asker.ended(asker.submit({}))
    assert answer["status"] == "completed", answer
    found: dict[str, Any] = answer["result"]
    assert set(shared) <= set(found["apis"])
    assert (found["by_client"], found["by_http"]) == ("by the client", "by HTTP")
    assert found["endpoint"] == f"{front}/reader"
    assert any(line.split()[1:3] == ["reader", "1/1"] for line in found["printed"].splitlines()), found["printed"]


def test_the_documented_address_of_an_api_leads_to_the_shared_gateway(
    cluster: Cluster, shared: dict[str, Api]
) -> None:
    """From any pod, by the cluster's DNS, which has to know Services of the type ExternalName."""
    found = cluster.get("service/ingressgateway-apis", "--namespace", "istio-system")
    if found["spec"]["type"] != "ExternalName":
        pytest.skip("the cluster has an ingress gateway of Istio of that name, which the chart leaves alone")
    code = f"import urllib.request as r; print(r.urlopen('{CHAINING}/reader', b'{{\"n\": 3}}').read().decode())"
    request_id = json.loads(cluster.python("denied", code))["id"]
    assert shared["reader"].ended(request_id)["result"]["n"] == 3


def test_scaling_is_told_for_each_api_at_the_admin_port(cluster: Cluster, shared: dict[str, Api]) -> None:
    for name in shared:
        place = f"services/cortex-gateway-admin:admin/proxy/scaling/{cluster.namespace}/{name}"
        told = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{cluster.namespace}/{place}"))
        assert told["in_flight"] >= 0


def test_an_api_comes_and_goes_without_a_restart_of_the_gateway(
    cluster: Cluster, make_api: MakeApi, shared: dict[str, Api]
) -> None:
    before = {
        each["metadata"]["name"]
        for each in cluster.get("pods", "--selector", "app.kubernetes.io/name=cortex-gateway")
    }
    passing = make_api("passing", gateway={"shared": True, "sharedNamespace": cluster.namespace})
    passing.install()
    assert passing.ended(passing.submit({"n": 5}))["result"]["n"] == 5
    passing.uninstall()

    def is_gone() -> bool:
        try:
            passing.submit({"n": 6})
        except Failed as error:
            return "no API is served here" in str(error) or "could not find the requested resource" in str(error)
        return False

    until("the gateway to serve it no more", is_gone)
    pods = cluster.get("pods", "--selector", "app.kubernetes.io/name=cortex-gateway")
    assert {each["metadata"]["name"] for each in pods} == before
    assert {each["status"]["containerStatuses"][0]["restartCount"] for each in pods} == {0}
    assert shared["reader"].ended(shared["reader"].submit({"n": 7}))["result"]["n"] == 7
