"""Each field of the AsyncAPI specification has its documented default, and its effect."""

import json
from typing import Any

import jsonschema
import pytest

from chart.helm_cli import ROOT, Helm, minimal, one_container
from chart.objects import api_json, api_pod, container, environment, find, user_container

PROBE_DEFAULTS = {
    "initialDelaySeconds": 0,
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}


def test_api_json_is_what_the_glue_expects(helm: Helm) -> None:
    document = api_json(helm.template(minimal()))
    jsonschema.validate(document, json.loads((ROOT / "schemas" / "api.schema.json").read_text()))
    assert document == {
        "name": "hello",
        "clusterName": "cortex",
        "aws": {"region": "eu-west-1", "endpointUrl": None},
        "storage": {"bucket": "results", "prefix": "cortex", "retentionDays": 7},
        "queue": {
            "url": None,
            "name": "cortex-hello",
            "deadLetterName": "cortex-hello-dead-letter",
            "maxAttempts": 3,
            "visibilityTimeoutSeconds": 60,
            "inlineLimitBytes": 262144,
            "retryOn": [],
        },
        "pod": {
            "port": 8080,
            "maxConcurrency": 1,
            "requestTimeoutSeconds": None,
            "terminationGracePeriodSeconds": 60,
        },
        "probes": [{"container": None, "type": "tcp_socket", "port": 8080, "path": None}
                   | PROBE_DEFAULTS | {"periodSeconds": 1}],
        "gateway": {"port": 8888, "endpoint": "/hello", "maxPayloadMiB": 1024, "sensitiveHeaders": "drop"},
        "dispatcher": {"adminPort": 15000},
    }  # fmt: skip


def test_every_object_bears_the_labels_of_the_api(helm: Helm) -> None:
    for each in helm.template(minimal(name="text")):
        assert each["metadata"]["name"].startswith("api-text")
        labels = each["metadata"]["labels"]
        assert (labels["apiName"], labels["apiKind"], labels["cortex.dev/api"]) == ("text", "AsyncAPI", "true")


def test_the_longest_name_and_cluster_make_a_queue_name_that_sqs_takes(helm: Helm) -> None:
    queue = api_json(helm.template(minimal(name="a" * 42, clusterName="c" * 25)), "a" * 42)["queue"]
    assert len(queue["deadLetterName"]) == 80


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


def test_command_args_and_env_reach_the_container_as_they_are(helm: Helm) -> None:
    env = {"PLAIN": "x", "NUMBER": "08", "BOOL": "yes", "EMPTY": "", "ODD": 'a "b" \\ \n\t# {{ .Values }} ü <&>'}
    each = user_container(
        helm.template(one_container(command=["a b", "$(CORTEX_PORT)"], args=["--x", "1"], env=env))
    )
    assert (each["command"], each["args"]) == (["a b", "$(CORTEX_PORT)"], ["--x", "1"])
    assert environment(each) | env == environment(each)


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
    assert dispatcher["resources"] == {"requests": {"cpu": "100m", "memory": "100Mi"}}


@pytest.mark.parametrize(
    ("autoscaling", "replicas"),
    [
        ({}, 1),
        ({"min_replicas": 3}, 3),
        ({"min_replicas": 0}, 1),
        ({"min_replicas": 0, "init_replicas": 0}, 0),
        ({"min_replicas": 2, "init_replicas": 5}, 5),
    ],
)
def test_init_replicas_run_while_nothing_scales(helm: Helm, autoscaling: dict[str, int], replicas: int) -> None:
    assert (
        find(helm.template(minimal(autoscaling=autoscaling)), "Deployment", "api-hello")["spec"]["replicas"]
        == replicas
    )


def test_node_groups_become_an_affinity_to_the_nodes_label(helm: Helm) -> None:
    assert "affinity" not in api_pod(helm.template(minimal()))
    label = {"key": "alpha.eksctl.io/nodegroup-name", "prefix": "cx-wd-"}
    for more, key, names in (
        ({}, "eks.amazonaws.com/nodegroup", ["cpu", "gpu_spot"]),
        ({"nodeGroupLabel": label}, label["key"], ["cx-wd-cpu", "cx-wd-gpu_spot"]),
    ):
        pod = api_pod(helm.template(minimal(node_groups=["cpu", "gpu_spot"], **more)))
        terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
            "nodeSelectorTerms"
        ]
        assert terms == [{"matchExpressions": [{"key": key, "operator": "In", "values": names}]}]


@pytest.mark.parametrize(
    ("strategy", "rendered"),
    [
        ({}, {"maxSurge": "25%", "maxUnavailable": "25%"}),
        ({"max_surge": 0}, {"maxSurge": 0, "maxUnavailable": "25%"}),
        ({"max_surge": "100%", "max_unavailable": 2}, {"maxSurge": "100%", "maxUnavailable": 2}),
    ],
)
def test_update_strategy_is_the_deployments(
    helm: Helm, strategy: dict[str, Any], rendered: dict[str, Any]
) -> None:
    deployment = find(helm.template(minimal(update_strategy=strategy)), "Deployment", "api-hello")
    assert deployment["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rendered}


@pytest.mark.parametrize(
    ("endpoint", "path"), [(None, "/hello"), ("text", "/text"), ("/text", "/text"), ("/a/b.c/", "/a/b.c")]
)
def test_the_endpoint_is_a_path_with_one_slash_before_it(helm: Helm, endpoint: str | None, path: str) -> None:
    document = api_json(helm.template(minimal(networking={"endpoint": endpoint})))
    assert document["gateway"]["endpoint"] == path


@pytest.mark.parametrize(
    ("given", "seconds"), [("1s", 1), ("90s", 90), ("1h30m", 5400), ("12h", 43200), ("2m5s", 125)]
)
def test_request_timeout_is_a_duration(helm: Helm, given: str, seconds: int) -> None:
    assert (
        api_json(helm.template(minimal(pod={"request_timeout": given})))["pod"]["requestTimeoutSeconds"] == seconds
    )


@pytest.mark.parametrize(
    ("timeout", "given", "grace"),
    [(None, None, 60), ("30s", None, 60), ("5m", None, 310), ("5m", 400, 400), (None, 30, 30)],
)
def test_termination_grace_lasts_as_long_as_a_request_may(
    helm: Helm, timeout: str | None, given: int | None, grace: int
) -> None:
    objects = helm.template(minimal(pod={"request_timeout": timeout}, terminationGracePeriodSeconds=given))
    assert api_pod(objects)["terminationGracePeriodSeconds"] == grace
    assert api_json(objects)["pod"]["terminationGracePeriodSeconds"] == grace
