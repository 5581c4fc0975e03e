"""Each field of the AsyncAPI specification has its documented default, and its effect."""

import json
from typing import Any

import jsonschema
import pytest

from chart.helm_cli import ROOT, Helm, minimal
from chart.objects import api_json, api_pod, find

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
        "release": "default/hello",
        "aws": {"region": "eu-west-1", "endpointUrl": None},
        "storage": {"bucket": "results", "prefix": "cortex", "retentionDays": 7, "payloadReferences": []},
        "queue": {
            "url": None,
            "name": "cortex-hello",
            "deadLetterName": "cortex-hello-dead-letter",
            "maxAttempts": 3,
            "visibilityTimeoutSeconds": 30,
            "inlineLimitBytes": 262144,
            "retryOn": [],
            "fairnessHeader": None,
        },
        "pod": {
            "port": 8080,
            "maxConcurrency": 1,
            "requestTimeoutSeconds": None,
            "terminationGracePeriodSeconds": 60,
            "cancelPath": None,
            "resultContentTypes": [],
        },
        "probes": [{"container": None, "type": "tcp_socket", "port": 8080, "path": None}
                   | PROBE_DEFAULTS | {"periodSeconds": 1}],
        "gateway": {"port": 8888, "adminPort": 15001, "endpoint": "/hello", "maxPayloadMiB": 1024,
                    "sensitiveHeaders": "drop", "maxQueued": None, "apiKeys": None, "allowedOrigins": [],
                    "redirectOverMiB": None, "uploads": False, "list": False,
                    "requestTimeoutSeconds": None, "webhooks": None},
        "dispatcher": {"adminPort": 15000},
        "scaling": {"targetInFlight": 1, "windowSeconds": 60},
        "tracing": {"endpoint": None, "sampleRatio": 1},
        "webhooks": None,
    }  # fmt: skip


def test_every_object_bears_the_labels_of_the_api(helm: Helm) -> None:
    for each in helm.template(minimal(name="text")):
        assert each["metadata"]["name"].startswith("api-text")
        labels = each["metadata"]["labels"]
        assert (labels["apiName"], labels["apiKind"], labels["cortex.dev/api"]) == ("text", "AsyncAPI", "true")


def test_the_longest_name_and_cluster_make_a_queue_name_that_sqs_takes(helm: Helm) -> None:
    queue = api_json(helm.template(minimal(name="a" * 42, clusterName="c" * 25)), "a" * 42)["queue"]
    assert len(queue["deadLetterName"]) == 80


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
    ("given", "seconds"),
    [("1s", 1), ("90s", 90), ("1h30m", 5400), ("12h", 43200), ("2m5s", 125), ("08m010s", 490)],
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
