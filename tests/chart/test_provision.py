"""The hooks that make and delete the queues, and the emulator's Job, which is none."""

import argparse
import importlib
from typing import Any

import pytest

from chart.helm_cli import Helm, Object, minimal
from chart.objects import api_json, api_pod, container, environment, find, kinds, pod_of, pods
from cortex_async_tools.cli import COMMANDS

EMULATOR: dict[str, Any] = {"pod": minimal()["pod"], "emulator": {"enabled": True, "image": "emulator:1"}}
DELETING = {"queue": {"deleteOnUninstall": True}}


def hook(each: Object) -> tuple[str, int, str]:
    annotations = each["metadata"]["annotations"]
    return (
        annotations["helm.sh/hook"],
        int(annotations["helm.sh/hook-weight"]),
        annotations["helm.sh/hook-delete-policy"],
    )


def arguments(job: Object) -> list[str]:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    return list(only["args"])


POLICY = "before-hook-creation,hook-succeeded"
JOB_POLICY = f"{POLICY},hook-failed"
HELM_TIMEOUT = 300


def test_the_job_and_all_that_it_needs_come_before_the_release(helm: Helm) -> None:
    objects = helm.template(minimal())
    job = find(objects, "Job")
    assert hook(job) == ("pre-install,pre-upgrade", 0, JOB_POLICY)
    assert arguments(job) == ["provision", "--config", "/etc/cortex-async/api.json", "--wait=75"]
    pod = job["spec"]["template"]["spec"]
    account = find(objects, "ServiceAccount", pod["serviceAccountName"])
    (volume,) = pod["volumes"]
    config = find(objects, "ConfigMap", volume["configMap"]["name"])
    assert hook(account) == hook(config) == ("pre-install,pre-upgrade", -10, POLICY)
    assert config["data"] == find(objects, "ConfigMap", "api-hello")["data"]


def test_the_buckets_lifecycle_is_left_alone_where_the_values_say_so(helm: Helm) -> None:
    settings = {"provision": {"lifecycleRule": False}}
    assert arguments(find(helm.template(minimal(**settings)), "Job"))[-1] == "--no-lifecycle-rule"
    with_emulator = find(helm.template(EMULATOR | settings), "Job")
    assert arguments(with_emulator)[-2:] == ["--create-bucket", "--no-lifecycle-rule"]
    deleting = helm.template(minimal(**DELETING, **settings))
    assert arguments(find(deleting, "Job", "api-hello-delete"))[-1] == "--delete"


def test_the_queues_are_kept_unless_the_values_say_otherwise(helm: Helm) -> None:
    assert "--delete" not in str(helm.template(minimal()))
    objects = helm.template(minimal(**DELETING))
    job = find(objects, "Job", "api-hello-delete")
    assert hook(job) == ("post-delete", 0, JOB_POLICY)
    assert arguments(job)[-1] == "--delete"
    for kind in ("ConfigMap", "ServiceAccount"):
        assert hook(find(objects, kind, "api-hello-provision")) == (
            "pre-install,pre-upgrade,post-delete",
            -10,
            POLICY,
        )


@pytest.mark.parametrize("name", ["api-hello-provision", "api-hello-delete"])
def test_a_job_that_fails_says_why_on_the_terminal_and_leaves_nothing(helm: Helm, name: str) -> None:
    job = find(helm.template(minimal(**DELETING)), "Job", name)
    annotations = job["metadata"]["annotations"]
    assert annotations["helm.sh/hook-output-log-policy"] == "hook-failed"
    assert "hook-failed" in annotations["helm.sh/hook-delete-policy"]
    (only,) = job["spec"]["template"]["spec"]["containers"]
    assert only["terminationMessagePolicy"] == "FallbackToLogsOnError"


@pytest.mark.parametrize("values", [minimal(), EMULATOR], ids=["aws", "emulator"])
def test_what_provision_says_is_final_and_a_pod_that_is_killed_is_replaced(
    helm: Helm, values: dict[str, Any]
) -> None:
    spec = find(helm.template(values), "Job")["spec"]
    assert spec["backoffLimit"] == 3
    rules = {rule["action"]: rule for rule in spec["podFailurePolicy"]["rules"]}
    final = rules["FailJob"]["onExitCodes"]
    assert (final["containerName"], final["operator"], final["values"]) == ("provision", "In", [1, 2])
    assert rules["Ignore"]["onPodConditions"][0]["type"] == "DisruptionTarget"


@pytest.mark.parametrize(
    ("deadline", "emulator", "wait"),
    [(None, False, 75), (60, False, 30), (10, False, 0), (None, True, 210), (600, True, 570)],
)
def test_provision_gives_up_by_itself_before_the_job_is_stopped(
    helm: Helm, deadline: int | None, emulator: bool, wait: int
) -> None:
    settings = {} if deadline is None else {"activeDeadlineSeconds": deadline}
    job = find(helm.template((EMULATOR if emulator else minimal()) | {"provision": settings}), "Job")
    assert f"--wait={wait}" in arguments(job)
    assert deadline or wait < job["spec"]["activeDeadlineSeconds"] < HELM_TIMEOUT


@pytest.mark.parametrize("values", [minimal(**DELETING), EMULATOR], ids=["aws", "emulator"])
def test_the_glue_knows_every_argument_that_it_is_given(helm: Helm, values: dict[str, Any]) -> None:
    given = [
        each["args"]
        for _, template in pods(helm.template(values))
        for each in template["spec"]["containers"]
        if each["name"] in {"dispatcher", "gateway", "provision", "smoke"}
    ]
    assert {words[0] for words in given} == {"dispatcher", "gateway", "provision", "smoke"}
    for words in given:
        parser = argparse.ArgumentParser(exit_on_error=False)
        importlib.import_module(COMMANDS[words[0]][0]).add_arguments(parser)
        parser.parse_args(words[1:])


def test_without_provision_there_is_no_job_and_nothing_for_it(helm: Helm) -> None:
    objects = helm.template(minimal(provision={"enabled": False}))
    assert "Job" not in kinds(objects)
    assert not [each for each in objects if each["metadata"]["name"] == "api-hello-provision"]
    objects = helm.template(minimal(provision={"enabled": False}, **DELETING))
    assert find(objects, "Job")["metadata"]["name"] == "api-hello-delete"
    assert hook(find(objects, "ConfigMap", "api-hello-provision"))[0] == "post-delete"


def test_a_queue_of_somebody_else_is_named_to_the_glue(helm: Helm) -> None:
    url = "https://sqs.eu-west-1.internal/123/mine.fifo"
    assert api_json(helm.template(minimal(queue={"url": url})))["queue"]["url"] == url


def test_the_emulator_takes_the_place_of_aws(helm: Helm) -> None:
    objects = helm.template(EMULATOR, namespace="tryout")
    service = find(objects, "Service", "api-hello-emulator")
    assert service["spec"]["ports"][0]["port"] == 4566
    aws = api_json(objects)["aws"]
    assert aws == {"region": "us-east-1", "endpointUrl": "http://api-hello-emulator.tryout.svc:4566"}
    assert api_json(objects)["storage"]["bucket"] == "cortex-async"
    dispatcher = environment(container(api_pod(objects), "dispatcher"))
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= dispatcher.keys()


def test_beside_the_emulator_each_revision_has_a_job_of_its_own_and_no_hook(helm: Helm) -> None:
    objects = helm.template(EMULATOR)
    job = find(objects, "Job")
    assert job["metadata"]["name"] == "api-hello-provision-1"
    assert arguments(job)[-1] == "--create-bucket"
    hooks = [each for each in objects if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    assert [each["kind"] for each in hooks] == ["Pod"]


def test_the_emulator_is_off_by_default(helm: Helm) -> None:
    assert "emulator" not in str(helm.template(minimal()))


def test_credentials_of_a_secret_reach_the_glue_and_not_the_user(helm: Helm) -> None:
    objects = helm.template(minimal(aws={"credentialsSecret": "keys", "extraEnv": [{"name": "A", "value": "1"}]}))
    for each in api_pod(objects)["containers"]:
        is_glue = each["name"] == "dispatcher"
        assert ("envFrom" in each) == is_glue
        assert ("A" in environment(each)) == is_glue
    (provision,) = find(objects, "Job")["spec"]["template"]["spec"]["containers"]
    assert provision["envFrom"] == [{"secretRef": {"name": "keys"}}]


def test_the_emulator_runs_from_the_image_of_the_glue_unless_another_is_named(helm: Helm) -> None:
    image = {"repository": "registry.internal/glue", "tag": "7", "pullPolicy": "Never"}
    alone = {"pod": minimal()["pod"], "emulator": {"enabled": True}, "image": image}
    emulator = container(pod_of(helm.template(alone), "Deployment", "api-hello-emulator"), "emulator")
    assert (emulator["image"], emulator["imagePullPolicy"]) == ("registry.internal/glue:7", "Never")
    named = container(pod_of(helm.template(alone | EMULATOR), "Deployment", "api-hello-emulator"), "emulator")
    assert named["image"] == "emulator:1"
