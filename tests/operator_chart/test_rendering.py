"""What the operator's chart renders: valid, least in its rights, and told to the operator as it reads it."""

import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml

from chart.helm_cli import ROOT, Helm, Object, Refused, at, merged
from chart.kubernetes import validate
from chart.objects import find, pod_of
from cortex_operator import config
from operator_chart.conftest import CHART, Render

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEPLOYING: dict[str, Any] = {
    "deploy": {"enabled": True, "namespaces": ["apis"]},
    "auth": {"tokenSecret": "tokens"},
}


def _gateway(**values: Any) -> dict[str, Any]:
    return {"gateway": {"enabled": True, **values}}


WRITING = {"create", "update", "patch", "delete", "deletecollection", "*"}


def _told(objects: Sequence[Object]) -> dict[str, Any]:
    return dict(json.loads(find(objects, "ConfigMap")["data"]["operator.json"]))


def _rules(objects: Sequence[Object], kinds: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each right: the namespace, or * for all, the resource, and the verb."""
    return sorted(
        (each["metadata"].get("namespace", "*"), resource, verb)
        for each in objects
        if each["kind"] in kinds
        for rule in each["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


NAMED = {"namespaces": ["one"], "releases": {"enabled": True}}


@pytest.mark.parametrize("values", [{}, DEPLOYING, NAMED], ids=str)
def test_what_is_rendered_is_valid(render: Render, values: dict[str, Any]) -> None:
    validate(render(**values))


def test_the_default_is_found_where_apis_look_for_it(render: Render) -> None:
    service = find(render(), "Service")
    place = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    url = f"http://{place}:{service['spec']['ports'][0]['port']}"
    api_values = yaml.safe_load((ROOT / "charts" / "cortex-async" / "values.yaml").read_text())
    assert api_values["client"]["operatorEndpoint"] == url
    assert service["spec"]["type"] == "ClusterIP"


def test_without_its_image_it_is_refused_with_what_to_do(render: Render) -> None:
    with pytest.raises(Refused, match=r"- image.repository: required.*build.*push it, and set image.repository"):
        render(image={"repository": ""})


def test_by_default_it_may_read_and_restart_and_sees_no_secret(render: Render) -> None:
    assert _rules(render(), ["ClusterRole", "Role"]) == [
        ("*", "configmaps", "get"),
        ("*", "configmaps", "list"),
        ("*", "deployments", "list"),
        ("*", "deployments", "patch"),
        ("*", "pods", "list"),
        ("*", "pods/log", "get"),
        ("*", "replicasets", "list"),
        ("*", "services", "list"),
    ]


def test_named_namespaces_take_roles_there_and_nothing_cluster_wide(render: Render) -> None:
    objects = render(namespaces=["one", "two"], releases={"enabled": True})
    assert not _rules(objects, ["ClusterRole"])
    rights = _rules(objects, ["Role"])
    assert {namespace for namespace, _, _ in rights} == {"one", "two"}
    assert ("one", "secrets", "list") in rights
    bound = {each["metadata"]["namespace"] for each in objects if each["kind"] == "RoleBinding"}
    assert bound == {"one", "two"}


def test_deploying_takes_rights_in_its_namespaces_alone(render: Render) -> None:
    rights = _rules(render(**DEPLOYING), ["ClusterRole", "Role"])
    assert {(place, what) for place, what, verb in rights if verb in WRITING and place == "*"} == {
        ("*", "deployments")
    }
    assert {place for place, what, _ in rights if what == "secrets"} == {"apis"}


def test_deploying_has_the_rights_to_all_that_the_chart_of_an_api_renders(render: Render, helm4: Helm) -> None:
    objects = render(**DEPLOYING)
    allowed = {
        (group, resource)
        for each in objects
        if each["kind"] == "Role"
        for rule in each["rules"]
        if "create" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    for path in sorted([*ROOT.glob("values/*.yaml"), *ROOT.glob("values/*/values.yaml")]):
        for each in helm4.template(path):
            group = each["apiVersion"].rpartition("/")[0]
            kind = each["kind"].lower()
            plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}{'es' if kind.endswith('ss') else 's'}"
            if kind != "pod":  # of helm test, which the operator does not run
                assert (group, plural) in allowed, f"{path}: {each['kind']}"


@pytest.fixture(scope="session")
def helm4() -> Helm:
    return Helm.of_version("4.3.1")


def test_the_operator_reads_what_it_is_told(render: Render) -> None:
    told = config.parse(_told(render(**DEPLOYING, clusterName="prod", publicUrl="https://operator.internal")))
    assert (told.cluster_name, told.public_url, told.port) == ("prod", "https://operator.internal", 8888)
    assert told.deploy.enabled
    assert told.deploy.namespaces == ("apis",)
    assert told.token_file == pathlib.Path("/etc/cortex-operator/token/token")
    assert config.parse(_told(render())) == config.OperatorConfig()


def test_the_token_is_mounted_where_the_operator_looks_for_it(render: Render) -> None:
    objects = render(auth={"tokenSecret": "tokens", "tokenKey": "mine"})
    pod = pod_of(objects, "Deployment", "operator")
    (volume,) = [each for each in pod["volumes"] if each["name"] == "token"]
    assert volume["secret"] == {"secretName": "tokens", "items": [{"key": "mine", "path": "token"}]}
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "token"]
    assert f"{mount['mountPath']}/token" == _told(objects)["tokenFile"]
    assert not [each for each in pod_of(render(), "Deployment", "operator")["volumes"] if each["name"] == "token"]


def test_the_pod_satisfies_the_restricted_level(render: Render) -> None:
    pod = pod_of(render(**DEPLOYING), "Deployment", "operator")
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["terminationGracePeriodSeconds"] > _told(render(**DEPLOYING))["deploy"]["timeoutSeconds"]


def test_only_the_cluster_reaches_it_unless_the_values_say_otherwise(render: Render) -> None:
    (rule,) = find(render(), "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {}}]
    mine = [{"podSelector": {"matchLabels": {"app": "mine"}}}]
    (rule,) = find(render(networkPolicy={"from": mine}), "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == mine
    assert not [each for each in render(networkPolicy={"enabled": False}) if each["kind"] == "NetworkPolicy"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"deploy": {"enabled": True}, "auth": {"tokenSecret": "x"}}, "deploy.namespaces"),
        ({"deploy": {"enabled": True, "namespaces": ["apis"]}}, "auth"),
        (merged(DEPLOYING, {"namespaces": ["other"]}), "deploy.namespaces"),
        ({"auth": {"anonymous": ["deploy"]}}, "anonymous"),
        ({"auth": {"sts": {"accounts": ["1"]}}}, "accounts"),
        ({"apis": {"endpointUrl": "ftp://x"}}, "endpointUrl"),
        ({"networkPolicy": {"from": []}}, "from"),
        ({"chaining": {"enabled": True}}, "gateway.enabled"),
        ({"deadLetters": {"enabled": True}}, "auth.tokenSecret"),
        (_gateway(httpRoute={"enabled": True}), "gateway.httpRoute.parentRefs"),
        (_gateway(autoscaling={"minReplicas": 5, "maxReplicas": 4}), "gateway.autoscaling.maxReplicas"),
        (_gateway(resources={"requests": {"cpu": None}}), "gateway.resources.requests.cpu"),
        (_gateway(service={"name": "operator"}), "gateway.service.name"),
    ],
    ids=str,
)
def test_values_that_cannot_work_are_refused(render: Render, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused, match=field):
        render(**values)


def _closed(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The objects whose keys are given."""
    if "properties" in schema and path != ("imagePullSecrets",):
        yield path
        for name, part in schema["properties"].items():
            yield from _closed(part, (*path, name))


@pytest.mark.parametrize("path", list(_closed(SCHEMA)), ids=".".join)
def test_a_key_that_is_not_there_is_refused(render4: Render, path: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="nosuchkey"):
        render4(**at(".".join([*path, "nosuchkey"]), 1))


CHANGES: dict[str, Any] = {
    "global": {"imageRegistry": "registry.internal"},
    "clusterName": "other",
    "region": "eu-west-1",
    "image.repository": "other",
    "image.tag": "9",
    "image.digest": "sha256:" + "1" * 64,
    "image.pullPolicy": "Always",
    "image.runAsUser": 1000,
    "imagePullSecrets": [{"name": "registry"}],
    "logLevel": "debug",
    "service.name": "other",
    "service.type": "NodePort",
    "service.port": 80,
    "service.annotations": {"a": "b"},
    "namespaces": ["one"],
    "servedVersions": ["1"],
    "auth.anonymous": [],
    "auth.tokenSecret": "tokens",
    "auth.tokenKey": "other",
    "auth.sts.accounts": ["123456789012"],
    "auth.sts.endpointUrl": "https://sts.internal",
    "releases.enabled": True,
    "deploy.enabled": True,
    "deploy.namespaces": ["other"],
    "deploy.values": {"aws": {"region": "eu-west-1"}},
    "deploy.timeoutSeconds": 60,
    "apis.endpointUrl": "https://apis.internal",
    "gateway.enabled": True,
    "gateway.image.repository": "other",
    "gateway.image.tag": "9",
    "gateway.image.digest": "sha256:" + "1" * 64,
    "gateway.service.name": "other",
    "gateway.service.type": "NodePort",
    "gateway.service.annotations": {"a": "b"},
    "gateway.replicas": 3,
    "gateway.autoscaling.enabled": False,
    "gateway.autoscaling.minReplicas": 3,
    "gateway.autoscaling.maxReplicas": 3,
    "gateway.autoscaling.targetCPUUtilizationPercentage": 50,
    "gateway.podDisruptionBudget.enabled": False,
    "gateway.podDisruptionBudget.maxUnavailable": "25%",
    "gateway.terminationGracePeriodSeconds": 90,
    "gateway.resources.requests": {"cpu": "1"},
    "gateway.resources.limits": {"cpu": "1"},
    "gateway.aws.credentialsSecret": "keys",
    "gateway.aws.extraEnv": [{"name": "A", "value": "b"}],
    "gateway.serviceAccount.create": False,
    "gateway.serviceAccount.name": "other",
    "gateway.serviceAccount.annotations": {"a": "b"},
    "gateway.httpRoute.enabled": True,
    "gateway.httpRoute.parentRefs": [{"name": "other"}],
    "gateway.httpRoute.hostnames": ["a.example.com"],
    "gateway.httpRoute.annotations": {"a": "b"},
    "gateway.ingress.enabled": True,
    "gateway.ingress.className": "nginx",
    "gateway.ingress.hosts": ["a.example.com"],
    "gateway.ingress.tls": [{"secretName": "a"}],
    "gateway.ingress.annotations": {"a": "b"},
    "gateway.networkPolicy.from": [{"podSelector": {}}],
    "gateway.networkPolicy.adminFrom": [{"podSelector": {}}],
    "gateway.podMonitor.enabled": True,
    "gateway.podMonitor.interval": "10s",
    "gateway.podMonitor.labels": {"a": "b"},
    "chaining.enabled": True,
    "deadLetters.enabled": True,
    "deadLetters.credentialsSecret": "keys",
    "deadLetters.extraEnv": [{"name": "A", "value": "b"}],
    "publicUrl": "https://operator.internal",
    "logUrl": "https://logs.internal/{name}",
    "networkPolicy.enabled": False,
    "networkPolicy.from": [{"podSelector": {}}],
    "serviceAccount.create": False,
    "serviceAccount.name": "other",
    "serviceAccount.annotations": {"a": "b"},
    "resources.requests": {"cpu": "1"},
    "resources.limits": {"cpu": "1"},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "priorityClassName": "high",
    "commonLabels": {"a": "b"},
    "podLabels": {"a": "b"},
    "podAnnotations": {"a": "b"},
}
NEEDS: dict[str, dict[str, Any]] = {
    "auth.tokenKey": {"auth": {"tokenSecret": "tokens"}},
    "deploy.enabled": {"deploy": {"namespaces": ["apis"]}, "auth": {"tokenSecret": "tokens"}},
}
NEEDS |= {key: {"gateway": {"enabled": True}} for key in CHANGES if key.startswith(("gateway.", "chaining."))}
NEEDS["gateway.enabled"] = {}
LETTERS = {"deadLetters": {"enabled": True}, "auth": {"tokenSecret": "tokens"}}
NEEDS |= {f"deadLetters.{key}": LETTERS for key in ("credentialsSecret", "extraEnv")}
NEEDS["deadLetters.enabled"] = {"auth": {"tokenSecret": "tokens"}}
NEEDS["gateway.replicas"] = {"gateway": {"enabled": True, "autoscaling": {"enabled": False}}}
ROUTED = {"enabled": True, "parentRefs": [{"name": "public"}]}
NEEDS |= {
    f"gateway.httpRoute.{key}": _gateway(httpRoute=ROUTED) for key in ("parentRefs", "hostnames", "annotations")
}
NEEDS["gateway.httpRoute.enabled"] = _gateway(httpRoute={**ROUTED, "enabled": False})
NEEDS |= {
    f"gateway.ingress.{key}": _gateway(ingress={"enabled": True})
    for key in ("className", "hosts", "tls", "annotations")
}
NEEDS |= {f"gateway.podMonitor.{key}": _gateway(podMonitor={"enabled": True}) for key in ("interval", "labels")}


def _keys(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, part in schema["properties"].items():
        if "properties" in part:
            yield from _keys(part, (*path, name))
        else:
            yield ".".join((*path, name))


def test_every_key_is_tried() -> None:
    assert set(_keys(SCHEMA)) == set(CHANGES)


@pytest.mark.parametrize("key", list(CHANGES))
def test_every_key_does_something(render4: Render, key: str) -> None:
    base = NEEDS.get(key, {})
    assert render4(**base) != render4(**merged(base, at(key, CHANGES[key])))
