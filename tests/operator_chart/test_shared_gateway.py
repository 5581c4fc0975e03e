"""The shared gateway of the operator's chart, and the chaining address."""

import argparse
import json
import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from chart.helm_cli import Helm, at, merged, minimal
from chart.kubernetes import validate
from chart.objects import container, find, kinds, pod_of
from cortex_async.__main__ import COMMANDS
from cortex_async.gateway import command
from operator_chart.conftest import CHART, Render
from support.kubernetes_api import ApiServer, serving

INSTANCE = "app.kubernetes.io/instance"
GATEWAY: dict[str, Any] = {"gateway": {"enabled": True}}
ALL: dict[str, Any] = {
    "gateway": {
        "enabled": True,
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["api.example.com"]},
        "ingress": {"enabled": True, "hosts": ["api.example.com"], "tls": [{"secretName": "certificate"}]},
        "podMonitor": {"enabled": True},
        "aws": {"credentialsSecret": "keys"},
    },
    "chaining": {"enabled": True},
}


@pytest.mark.parametrize("values", [GATEWAY, ALL, merged(ALL, {"namespaces": ["one", "two"]})], ids=str)
def test_what_is_rendered_is_valid(render: Render, values: dict[str, Any]) -> None:
    validate(render(**values))


def test_there_is_none_unless_asked_for(render: Render) -> None:
    assert not [each for each in render() if "gateway" in each["metadata"]["name"]]


def test_it_may_list_and_watch_configmaps_and_nothing_else(render: Render) -> None:
    def rules(objects: Any, kind: str) -> list[Any]:
        return [
            each["rules"] for each in objects if each["kind"] == kind and "gateway" in each["metadata"]["name"]
        ]

    may = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    assert rules(render(**GATEWAY), "ClusterRole") == [may]
    objects = render(**GATEWAY, namespaces=["one", "two"])
    assert (rules(objects, "ClusterRole"), rules(objects, "Role")) == ([], [may, may])
    (measuring,) = [each for each in objects if each["kind"] == "Role" and "measuring" in each["metadata"]["name"]]
    assert measuring["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    args = container(pod_of(objects, "Deployment", "cortex-gateway"), "gateway")["args"]
    assert args == ["gateway", "--shared", "--namespace", "one", "--namespace", "two"]


def test_its_account_is_its_own_and_bound_to_its_rights_alone(render: Render) -> None:
    objects = render(**GATEWAY)
    pod = pod_of(objects, "Deployment", "cortex-gateway")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("cortex-gateway", True)
    bound = {
        subject["name"]: each["roleRef"]["name"]
        for each in objects
        if each["kind"] == "ClusterRoleBinding"
        for subject in each["subjects"]
    }
    assert bound == {
        "operator": "cortex-operator-default-operator",
        "cortex-gateway": "cortex-operator-default-operator-gateway",
    }


def test_the_glue_takes_the_arguments(render: Render) -> None:
    args = container(pod_of(render(**GATEWAY), "Deployment", "cortex-gateway"), "gateway")["args"]
    assert args[0] in COMMANDS
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parsed = parser.parse_args(args[1:])
    assert (parsed.shared, parsed.port, parsed.admin_port, parsed.namespaces) == (True, 8888, 15001, [])


def test_an_api_finds_it_where_its_values_say_by_default(render: Render) -> None:
    api = Helm.of_version("4.3.1").template(
        merged(minimal(autoscaling={"engine": "keda"}), at("gateway.shared", True)), namespace="apis"
    )
    (trigger,) = find(api, "ScaledObject")["spec"]["triggers"]
    admin = find(render(**GATEWAY), "Service", "cortex-gateway-admin")
    host = f"{admin['metadata']['name']}.{admin['metadata']['namespace']}.svc:{admin['spec']['ports'][0]['port']}"
    assert trigger["metadata"]["url"] == f"http://{host}/scaling/apis/hello"
    smoke = container(find(api, "Pod")["spec"], "smoke")
    service = find(render(**GATEWAY), "Service", "cortex-gateway")
    place = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    assert f"--url=http://{place}:{service['spec']['ports'][0]['port']}/hello" in smoke["args"]
    told = json.loads(find(render(**GATEWAY), "ConfigMap")["data"]["operator.json"])
    assert told["gatewayUrl"] == f"http://{place}"


def test_services_select_the_gateways_and_never_the_operator(render: Render) -> None:
    objects = render(**GATEWAY)
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in objects
        if each["kind"] == "Deployment"
    }
    for each in objects:
        if each["kind"] == "Service":
            wanted = each["spec"]["selector"].items()
            chosen = {name for name, own in labels.items() if wanted <= own.items()}
            name = each["metadata"]["name"]
            assert chosen == {"operator" if name == "operator" else "cortex-gateway"}, name


def test_no_route_leads_to_the_admin_port_and_only_keda_may_read_it(render: Render) -> None:
    objects = render(**ALL)
    policy = find(objects, "NetworkPolicy", "cortex-gateway")
    by_port = {rule["ports"][0]["port"]: rule.get("from") for rule in policy["spec"]["ingress"]}
    keda = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
    operator = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "cortex-operator", INSTANCE: "operator"}}
    }
    assert by_port == {8888: None, 15001: [operator, keda]}
    (backend,) = find(objects, "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert backend == {"name": "cortex-gateway", "port": 80}
    (path,) = find(objects, "Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "cortex-gateway", "port": {"name": "http"}}


def test_its_pod_satisfies_the_restricted_level(render: Render) -> None:
    security = container(pod_of(render(**GATEWAY), "Deployment", "cortex-gateway"), "gateway")["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_replicas_are_left_to_what_scales(render: Render) -> None:
    assert "replicas" not in find(render(**GATEWAY), "Deployment", "cortex-gateway")["spec"]
    fixed = merged(GATEWAY, {"gateway": {"autoscaling": {"enabled": False}}})
    assert find(render(**fixed), "Deployment", "cortex-gateway")["spec"]["replicas"] == 2
    assert "HorizontalPodAutoscaler" not in kinds(render(**fixed))


def test_the_chaining_address_is_another_name_of_the_gateway(render: Render) -> None:
    objects = render(**ALL)
    service = find(objects, "Service", "ingressgateway-apis")
    assert service["metadata"]["namespace"] == "istio-system"
    assert service["spec"]["type"] == "ExternalName"
    assert service["spec"]["externalName"] == "cortex-gateway.default.svc.cluster.local"
    namespace = find(objects, "Namespace", "istio-system")
    assert namespace["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not {"Namespace"} & kinds(render(**GATEWAY))


def test_a_service_or_namespace_that_is_there_already_is_left_alone(tmp_path: pathlib.Path) -> None:
    def rendered(server: ApiServer) -> set[str]:
        values = tmp_path / "values.yaml"
        values.write_text(json.dumps({**GATEWAY, "image": {"repository": "x"}, "chaining": {"enabled": True}}))
        with serving(server, tmp_path) as cluster:
            words = ["template", "operator", str(CHART), "--values", str(values), "--namespace", "default"]
            done = subprocess.run(
                [Helm.of_version("4.3.1").program, *words, "--dry-run=server", "--kubeconfig", cluster.kubeconfig],
                capture_output=True,
                text=True,
                check=False,
                env={"HOME": str(tmp_path)},
            )
        assert done.returncode == 0, done.stderr
        return {each["metadata"]["name"] for each in yaml.safe_load_all(done.stdout) if each}

    def service(release: str) -> ApiServer:
        server = ApiServer()
        owner = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "default"}
        metadata = {"name": "ingressgateway-apis", "namespace": "istio-system", "annotations": owner}
        metadata |= {"labels": {"app.kubernetes.io/managed-by": "Helm"}}
        server.add("v1", "services", {"metadata": metadata})
        return server

    nothing_there = rendered(ApiServer())  # but the namespace, which that server always has
    assert "ingressgateway-apis" in nothing_there
    assert "istio-system" not in nothing_there
    assert "ingressgateway-apis" in rendered(service("operator"))
    assert "ingressgateway-apis" not in rendered(service("istio"))
