"""Pod Security: what the three levels ask for, on every pod of the release."""

from typing import Any

import pytest

from chart.helm_cli import Helm, minimal, one_container
from chart.objects import api_json, api_pod, container, find, pods, user_container

EMULATOR = {"emulator": {"enabled": True, "image": "emulator:1"}}
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC")
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def baseline(pod: dict[str, Any], each: dict[str, Any]) -> None:
    assert not any(pod.get(field) for field in _HOST_FIELDS)
    assert not any("hostPath" in volume for volume in pod.get("volumes", []))
    assert not any("hostPort" in port for port in each.get("ports", []))
    security = each["securityContext"]
    assert not security.get("privileged")
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not security.get("capabilities", {}).get("add")


def restricted(pod: dict[str, Any], each: dict[str, Any]) -> None:
    baseline(pod, each)
    assert all((volume.keys() - {"name"}) <= _VOLUMES for volume in pod.get("volumes", []))
    security = each["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["runAsNonRoot"] is True
    assert security.get("runAsUser") != 0


@pytest.mark.parametrize("more", [{}, {"queue": {"deleteOnUninstall": True}}, EMULATOR], ids=str)
def test_every_pod_is_restricted_by_default(helm: Helm, more: dict[str, Any]) -> None:
    found = list(pods(helm.template(minimal(**more))))
    assert len(found) >= 4
    for _, template in found:
        for each in template["spec"]["containers"]:
            restricted(template["spec"], each)


def test_an_image_that_runs_as_root_needs_baseline_and_the_dispatcher_stays_restricted(helm: Helm) -> None:
    objects = helm.template(minimal(securityContext={"level": "baseline"}))
    each = user_container(objects)
    baseline(api_pod(objects), each)
    assert "runAsNonRoot" not in each["securityContext"]
    restricted(api_pod(objects), container(api_pod(objects), "dispatcher"))


def test_the_glue_writes_to_no_file_of_its_own(helm: Helm) -> None:
    for _, template in pods(helm.template(minimal())):
        for each in template["spec"]["containers"]:
            if each["name"] != "api":
                assert each["securityContext"]["readOnlyRootFilesystem"] is True
                assert each["securityContext"]["runAsUser"] == 65532


def test_the_user_id_of_the_glue_can_be_left_to_the_platform(helm: Helm) -> None:
    dispatcher = container(api_pod(helm.template(minimal(image={"runAsUser": None}))), "dispatcher")
    assert not {"runAsUser", "runAsGroup"} & dispatcher["securityContext"].keys()


def test_no_pod_gets_a_token_for_the_kubernetes_api(helm: Helm) -> None:
    objects = helm.template(minimal())
    for _, template in pods(objects):
        assert template["spec"]["automountServiceAccountToken"] is False
    assert (
        api_pod(helm.template(minimal(automountServiceAccountToken=True)))["automountServiceAccountToken"] is True
    )


def test_each_part_has_a_service_account_of_its_own_with_its_role(helm: Helm) -> None:
    def role(name: str) -> dict[str, Any]:
        return {"annotations": {"eks.amazonaws.com/role-arn": name}}

    values = minimal(serviceAccount=role("api"), gateway={"serviceAccount": role("gateway")})
    objects = helm.template(values)
    for suffix, name in (("", "api"), ("-gateway", "gateway"), ("-provision", None)):
        annotations = find(objects, "ServiceAccount", f"api-hello{suffix}")["metadata"]["annotations"]
        assert annotations.get("eks.amazonaws.com/role-arn") == name
    accounts = {owner["metadata"]["name"]: pod["spec"]["serviceAccountName"] for owner, pod in pods(objects)}
    assert accounts == {
        "api-hello": "api-hello",
        "api-hello-gateway": "api-hello-gateway",
        "api-hello-provision": "api-hello-provision",
        "api-hello-test": "default",
    }


def test_provisioning_never_has_the_role_of_the_pods_nor_they_its(helm: Helm) -> None:
    for mine, part in (("", "pods"), ("provision", "provisioning")):
        setting = {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": part}}}
        objects = helm.template(minimal(**({mine: setting} if mine else setting)))
        roles = {
            each["metadata"]["name"]: each["metadata"].get("annotations", {}).get("eks.amazonaws.com/role-arn")
            for each in objects
            if each["kind"] == "ServiceAccount"
        }
        assert roles.pop("api-hello-provision") == ("provisioning" if mine else None)
        assert set(roles.values()) == ({None} if mine else {"pods"})


_SKIPPED = "eks.amazonaws.com/skip-containers"


def _pod_annotations(helm: Helm, **more: Any) -> dict[str, str]:
    two = {"containers": [{"name": "api", "image": "x"}, {"name": "model", "image": "x"}]}
    deployment = find(helm.template(minimal(pod=two, **more)), "Deployment", "api-hello")
    return dict(deployment["spec"]["template"]["metadata"]["annotations"])


def test_eks_gives_the_role_of_the_pods_to_the_dispatcher_alone(helm: Helm) -> None:
    assert _pod_annotations(helm)[_SKIPPED] == "api,model"


def test_a_role_is_shared_with_the_containers_when_asked_for(helm: Helm) -> None:
    assert _SKIPPED not in _pod_annotations(helm, serviceAccount={"shareWithContainers": True})


def test_a_list_of_ones_own_says_who_gets_no_role(helm: Helm) -> None:
    assert _pod_annotations(helm, podAnnotations={_SKIPPED: "model"})[_SKIPPED] == "model"


def test_a_service_account_of_somebody_else_is_used_and_not_made(helm: Helm) -> None:
    mine = {"create": False, "name": "mine"}
    objects = helm.template(
        minimal(serviceAccount=mine, gateway={"serviceAccount": mine}, provision={"serviceAccount": mine})
    )
    assert not [each for each in objects if each["kind"] == "ServiceAccount"]
    used = {pod["spec"]["serviceAccountName"] for owner, pod in pods(objects) if owner["kind"] != "Pod"}
    assert used == {"mine"}


def test_nobody_connects_to_the_pods_and_everybody_to_the_gateways_port(helm: Helm) -> None:
    objects = helm.template(minimal())
    spec = find(objects, "NetworkPolicy", "api-hello")["spec"]
    assert (spec["policyTypes"], spec.get("ingress")) == (["Ingress"], None)
    assert find(objects, "NetworkPolicy", "api-hello-gateway")["spec"]["ingress"] == [
        {"ports": [{"port": 8888, "protocol": "TCP"}]}
    ]


def test_who_connects_can_be_limited_and_helm_test_still_may(helm: Helm) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}
    objects = helm.template(minimal(networkPolicy={"gatewayFrom": [peer], "dispatcherFrom": [peer]}))
    (rule,) = find(objects, "NetworkPolicy", "api-hello")["spec"]["ingress"]
    assert rule == {"from": [peer], "ports": [{"port": 15000, "protocol": "TCP"}]}
    (rule,) = find(objects, "NetworkPolicy", "api-hello-gateway")["spec"]["ingress"]
    assert rule["from"][0] == peer
    tester = find(objects, "Pod")["metadata"]["labels"]
    assert rule["from"][1]["podSelector"]["matchLabels"].items() <= tester.items()


def test_user_ids_reach_the_users_containers(helm: Helm) -> None:
    objects = helm.template(
        minimal(
            securityContext={"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 0, "readOnlyRootFilesystem": True}
        )
    )
    security = user_container(objects)["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["readOnlyRootFilesystem"]) == (
        1000,
        2000,
        True,
    )
    assert api_pod(objects)["securityContext"]["fsGroup"] == 0


def test_inferentia_alone_goes_beyond_baseline(helm: Helm) -> None:
    security = user_container(helm.template(one_container(compute={"inf": 1})))["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["SYS_ADMIN", "IPC_LOCK"]}
    assert "allowPrivilegeEscalation" not in security


def test_the_gateway_and_the_smoke_test_have_the_api_keys_and_nobody_else(helm: Helm) -> None:
    objects = helm.template(minimal(gateway={"apiKeys": {"secretName": "keys", "requestsPerSecond": 5}}))
    owners = {
        owner["metadata"]["name"]
        for owner, template in pods(objects)
        for volume in template["spec"].get("volumes", ())
        if volume.get("secret", {}).get("secretName") == "keys"
    }
    assert owners == {"api-hello-gateway", "api-hello-test"}
    folder = api_json(objects)["gateway"]["apiKeys"]["folder"]
    for owner, template in pods(objects):
        if owner["metadata"]["name"] in owners:
            (each,) = template["spec"]["containers"]
            assert folder in [mount["mountPath"] for mount in each["volumeMounts"]]
