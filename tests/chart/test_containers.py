"""Each field of a container has its documented default, and its effect."""

from typing import Any

import pytest

from chart.helm_cli import Helm, minimal, one_container
from chart.objects import api_json, api_pod, container, environment, find, kinds, user_container
from chart.test_specification import PROBE_DEFAULTS


def test_every_container_finds_port_version_client_and_shared_folder(helm: Helm) -> None:
    containers = [{"name": name, "image": "x"} for name in ("web", "model")]
    objects = helm.template(minimal(pod={"port": 9000, "containers": containers}))
    pod = api_pod(objects)
    for each in pod["containers"]:
        assert {"name": "mnt", "mountPath": "/mnt"} in each["volumeMounts"]
    for name in ("web", "model"):
        each = container(pod, name)
        assert each["env"][0] == {"name": "CORTEX_PORT", "value": "9000"}
        assert environment(each) == {
            "CORTEX_PORT": "9000",
            "CORTEX_VERSION": "0.1.0",
            "CORTEX_CLI_CONFIG_DIR": "/cortex/client",
            "CORTEX_PROGRESS_URL": "http://localhost:15000/progress",
        }
        assert {"name": "client", "mountPath": "/cortex/client", "readOnly": True} in each["volumeMounts"]
    assert {"name": "mnt", "emptyDir": {}} in pod["volumes"]
    assert {"name": "client", "secret": {"secretName": "api-hello-client"}} in pod["volumes"]
    assert find(objects, "Secret", "api-hello-client")["stringData"]["cli.yaml"] == (
        "default_environment: default\n"
        "environments:\n"
        "- name: default\n"
        "  operator_endpoint: http://operator.default.svc.cluster.local:8888"
    )


def test_an_existing_secret_takes_the_place_of_the_charts_own(helm: Helm) -> None:
    objects = helm.template(minimal(client={"existingSecret": "cortex-cli"}))
    assert {"name": "client", "secret": {"secretName": "cortex-cli"}} in api_pod(objects)["volumes"]
    assert "Secret" not in kinds(objects)


def test_command_args_and_env_reach_the_container_as_they_are(helm: Helm) -> None:
    env = {"PLAIN": "x", "NUMBER": "08", "BOOL": "yes", "EMPTY": "", "ODD": 'a "b" \\ \n\t# {{ .Values }} ü <&>'}
    each = user_container(
        helm.template(one_container(command=["a b", "$(CORTEX_PORT)"], args=["--x", "1"], env=env))
    )
    assert (each["command"], each["args"]) == (["a b", "$(CORTEX_PORT)"], ["--x", "1"])
    assert environment(each) | env == environment(each)


def test_variables_of_a_container_may_refer_to_those_of_the_api(helm: Helm) -> None:
    """Kubernetes resolves $(NAME) only to what comes before."""
    extra = [{"name": "HOST", "value": "db"}]
    env = {"A_URL": "http://$(HOST):$(CORTEX_PORT)"}
    each = user_container(helm.template(one_container(env=env) | {"extraEnv": extra}))
    names = [variable["name"] for variable in each["env"]]
    assert names[0] == "CORTEX_PORT"
    assert names[-2:] == ["HOST", "A_URL"]


@pytest.mark.parametrize("value", [None, []])
def test_without_command_and_args_the_image_has_its_own(helm4: Helm, value: Any) -> None:
    each = user_container(helm4.template(one_container(command=value, args=value)))
    assert not {"command", "args"} & each.keys()


@pytest.mark.parametrize(
    ("compute", "requests", "limits"),
    [
        (None, {"cpu": "200m"}, None),
        ({"cpu": None}, None, None),
        ({"cpu": 1}, {"cpu": "1000m"}, None),
        ({"cpu": 0.02}, {"cpu": "20m"}, None),
        ({"cpu": 1.5, "mem": "512Mi"}, {"cpu": "1500m", "memory": "512Mi"}, None),
        ({"cpu": "0.3", "mem": 1073741824}, {"cpu": "0.3", "memory": "1073741824"}, None),
        ({"gpu": 2}, {"cpu": "200m", "nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "2"}),
        (
            {"inf": 4},
            {"cpu": "200m", "aws.amazon.com/neuron": "4", "hugepages-2Mi": "1024Mi"},
            {"aws.amazon.com/neuron": "4", "hugepages-2Mi": "1024Mi"},
        ),
    ],
)
def test_compute_becomes_requests_and_limits(
    helm: Helm, compute: dict[str, Any] | None, requests: dict[str, str] | None, limits: dict[str, str] | None
) -> None:
    fields = {} if compute is None else {"compute": compute}
    resources = user_container(helm.template(one_container(**fields))).get("resources", {})
    assert (resources.get("requests"), resources.get("limits")) == (requests, limits)


def test_inferentia_adds_the_capabilities_of_its_runtime_and_gpu_does_not(helm: Helm) -> None:
    security = user_container(helm.template(one_container(compute={"inf": 1})))["securityContext"]
    assert security["capabilities"]["add"] == ["SYS_ADMIN", "IPC_LOCK"]
    assert "privileged" not in security
    security = user_container(helm.template(one_container(compute={"gpu": 1})))["securityContext"]
    assert "add" not in security["capabilities"]


def test_shared_memory_is_of_one_container_alone(helm: Helm) -> None:
    containers = [
        {"name": "plain", "image": "x"},
        {"name": "a" * 63, "image": "x", "compute": {"shm": "64Mi"}},
        {"name": "other", "image": "x", "compute": {"shm": 1048576}},
    ]
    pod = api_pod(helm.template(minimal(pod={"containers": containers})))
    mounted = {
        each["name"]: mount["name"]
        for each in pod["containers"]
        for mount in each["volumeMounts"]
        if mount["mountPath"] == "/dev/shm"
    }
    assert mounted == {"a" * 63: "shm-1", "other": "shm-2"}
    assert {"name": "shm-1", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}} in pod["volumes"]
    assert {"name": "shm-2", "emptyDir": {"medium": "Memory", "sizeLimit": "1048576"}} in pod["volumes"]


@pytest.mark.parametrize(
    ("action", "rendered"),
    [
        ({"http_get": {"port": 81}}, {"httpGet": {"port": 81, "path": "/"}}),
        ({"http_get": {"port": 81, "path": "ready?a=1"}}, {"httpGet": {"port": 81, "path": "/ready?a=1"}}),
        ({"tcp_socket": {"port": "81"}}, {"tcpSocket": {"port": 81}}),
        ({"exec": {"command": ["true"]}}, {"exec": {"command": ["true"]}}),
    ],
)
def test_probes_have_their_defaults(helm: Helm, action: dict[str, Any], rendered: dict[str, Any]) -> None:
    probes = {"liveness_probe": action}
    if "exec" not in action:
        probes["readiness_probe"] = action
    each = user_container(helm.template(one_container(**probes)))
    for name in probes:
        assert each[{"liveness_probe": "livenessProbe"}.get(name, "readinessProbe")] == PROBE_DEFAULTS | rendered


def test_the_dispatcher_gets_the_readiness_probes_of_all_containers(helm: Helm) -> None:
    containers = [
        {
            "name": "web",
            "image": "x",
            "readiness_probe": {"http_get": {"port": 81, "path": "ok"}, "period_seconds": 2},
        },
        {"name": "plain", "image": "x"},
        {"name": "model", "image": "x", "readiness_probe": {"tcp_socket": {"port": 82}, "success_threshold": 2}},
    ]
    assert api_json(helm.template(minimal(pod={"containers": containers})))["probes"] == [
        PROBE_DEFAULTS | {"container": "web", "type": "http_get", "port": 81, "path": "/ok", "periodSeconds": 2},
        PROBE_DEFAULTS
        | {"container": "model", "type": "tcp_socket", "port": 82, "path": None, "successThreshold": 2},
    ]


def test_a_container_waits_for_the_dispatcher_unless_it_has_a_pre_stop_of_its_own(helm: Helm) -> None:
    def hook(**fields: Any) -> Any:
        return user_container(helm.template(one_container(**fields)))["lifecycle"]["preStop"]

    assert hook() == {"httpGet": {"port": 15000, "path": "/drain"}}
    assert hook(pre_stop={"http_get": {"port": 81}}) == {"httpGet": {"port": 81, "path": "/"}}
    assert hook(pre_stop={"exec": {"command": ["sync"]}}) == {"exec": {"command": ["sync"]}}


def test_the_dispatcher_requests_what_is_documented(helm: Helm) -> None:
    dispatcher = container(api_pod(helm.template(minimal())), "dispatcher")
    assert dispatcher["resources"] == {
        "requests": {"cpu": "100m", "memory": "100Mi"},
        "limits": {"memory": "256Mi"},
    }
