"""What an operator's Prometheus sees of a release: its pods by the PodMonitor's selector, and what they tell."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chart.helm_cli import merged
from e2e.api import Api
from e2e.cluster import CHART, Cluster, Failed, until

MakeApi = Callable[..., Api]
COMPONENTS = {"api": 15000, "gateway": 15001}
PROMETHEUS_KINDS = {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"}


@pytest.fixture(scope="module")
def api(make_api: MakeApi) -> Iterator[Api]:
    made = make_api("seen", monitoring={"scrapeAnnotations": True, "dashboard": {"enabled": True}})
    made.install()
    yield made
    made.uninstall()


def scraped(cluster: Cluster, pod: dict[str, Any]) -> dict[str, float]:
    """Scrape a pod where its annotations say, as Prometheus would; return the sum of each metric."""
    about = pod["metadata"]["annotations"]
    assert about["prometheus.io/scrape"] == "true"
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod['metadata']['name']}"
    path += f":{about['prometheus.io/port']}/proxy{about['prometheus.io/path']}"
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(cluster.kubectl("get", "--raw", path)):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


def pods(api: Api, component: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.cluster.get(
        "pods", "--selector", f"apiName={api.name},app.kubernetes.io/component={component}"
    )
    return found


def test_pods_are_scraped_where_their_annotations_say(api: Api) -> None:
    assert api.ended(api.submit({"n": 1}))["status"] == "completed"
    (dispatcher,), (gateway,) = (pods(api, component) for component in COMPONENTS)

    def seen() -> bool:
        of_dispatcher, of_gateway = scraped(api.cluster, dispatcher), scraped(api.cluster, gateway)
        return (
            of_dispatcher["cortex_async_results_total"] >= 1
            and of_dispatcher["cortex_async_ready"] == 1
            and of_gateway["cortex_async_submitted_total"] >= 1
            and "cortex_async_in_flight_average" in of_gateway  # sampled since somebody scrapes
        )

    until("all metrics", seen, 60)


def test_admin_ports_have_the_names_that_a_pod_monitor_asks_for(api: Api) -> None:
    for component, number in COMPONENTS.items():
        for pod in pods(api, component):
            ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", ())]
            assert [each["containerPort"] for each in ports if each["name"] == "admin"] == [number]


def test_scaling_is_told_at_the_admin_service_alone(api: Api) -> None:
    place = f"/api/v1/namespaces/{api.cluster.namespace}/services/api-{api.name}-gateway"
    told = json.loads(api.cluster.kubectl("get", "--raw", f"{place}-admin:15001/proxy/scaling"))
    assert told["in_flight"] >= 0
    with pytest.raises(Failed):
        api.cluster.kubectl("get", "--raw", f"{place}:http/proxy/scaling")


def test_dashboard_is_where_grafanas_sidecar_looks(api: Api) -> None:
    (found,) = api.cluster.get("configmaps", "--selector", f"grafana_dashboard=1,apiName={api.name}")
    (text,) = found["data"].values()
    assert json.loads(text)["title"] == f"AsyncAPI {api.name}"


def test_objects_of_the_prometheus_operator_come_only_where_it_is(api: Api) -> None:
    """Asked for where nothing knows them, they are refused, before anything is changed."""
    monitoring = {part: {"enabled": True} for part in ("podMonitor", "rules")}
    wanted = merged(api.values, {"monitoring": monitoring})
    words = ["upgrade", api.name, str(CHART), "--dry-run=server"]
    try:
        for resource in PROMETHEUS_KINDS.values():
            api.cluster.kubectl("get", "crd", f"{resource}.monitoring.coreos.com")
    except Failed:
        with pytest.raises(Failed, match=r"PodMonitor|PrometheusRule"):
            api.cluster.helm("upgrade", api.name, str(CHART), values=wanted)
        assert api.ended(api.submit({"n": 2}))["status"] == "completed"
        return
    for kind in PROMETHEUS_KINDS:
        assert f"kind: {kind}" in api.cluster.helm(*words, values=wanted)
