"""What a user reads after an installation."""

import shlex
from typing import Any

import pytest

from chart.helm_cli import Helm, at, merged, minimal
from chart.objects import pods

WARNING = "WARNING: emulator.enabled is for a first try"


def test_notes_show_the_url_a_curl_line_and_what_to_do_next(helm4: Helm) -> None:
    notes = helm4.notes(minimal(test={"payload": '{"it\'s": "$5"}'}))
    assert "http://api-hello-gateway.default.svc:80/hello\n" in notes
    curl = next(line for line in notes.splitlines() if line.strip().startswith("curl -d"))
    assert shlex.split(curl) == [
        "curl", "-d", '{"it\'s": "$5"}', "-H", "Content-Type: application/json", "http://localhost:8888/hello",
    ]  # fmt: skip
    assert "helm test hello -n default" in notes


def test_command_for_the_logs_selects_the_pods_of_the_api_alone(helm4: Helm) -> None:
    """The gateway's pods, and those of the Jobs, bear the name of the API too, but have no dispatcher."""
    words = next(
        line.split() for line in helm4.notes(minimal()).splitlines() if " logs " in line and " -c " in line
    )
    selector = dict(pair.split("=") for pair in words[words.index("-l") + 1].split(","))
    selected = {
        each["metadata"]["name"]
        for each, pod in pods(helm4.template(minimal()))
        if selector.items() <= pod["metadata"].get("labels", {}).items()
    }
    assert selected == {"api-hello"}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("networking.istio.enabled", True, "through Istio's apis-gateway at /hello"),
        ("networking.ingress", {"enabled": True, "hosts": ["a.example.com"]}, "an Ingress at a.example.com/hello"),
        (
            "networking.httpRoute",
            {"enabled": True, "parentRefs": [{"name": "public"}]},
            "the Gateway public at /hello",
        ),
        (
            "queue.deleteOnUninstall",
            True,
            "helm uninstall deletes the queues cortex-hello and cortex-hello-dead-letter",
        ),
        ("emulator", {"enabled": True, "image": "x"}, WARNING),
        ("autoscaling.engine", "keda", "KEDA scales the pods, from 1 to 100"),
        ("pod.containers", [{"name": "a", "image": "x", "compute": {"inf": 1}}], "SYS_ADMIN"),
    ],
)
def test_notes_tell_what_the_values_bring_with_them(helm4: Helm, path: str, value: Any, text: str) -> None:
    assert text not in helm4.notes(minimal())
    assert text in helm4.notes(merged(minimal(), at(path, value)))


def test_notes_say_how_to_remove_the_queues_that_stay(helm4: Helm) -> None:
    command = "aws sqs delete-queue --region eu-west-1"
    assert helm4.notes(minimal()).count(command) == 2
    (told,) = [
        line
        for line in helm4.notes(minimal(queue={"url": "https://sqs.internal/1/mine"})).splitlines()
        if command in line
    ]
    assert "--queue-name cortex-hello-dead-letter " in told


def test_notes_say_how_to_see_whether_and_why_not_the_pods_start(helm4: Helm) -> None:
    """Without --wait, helm is content when the API server took the objects."""
    notes = helm4.notes(minimal())
    assert "kubectl -n default rollout status deployment/api-hello" in notes
    assert "kubectl -n default describe pods -l apiName=hello" in notes


def test_notes_name_what_helm_test_leaves(helm4: Helm) -> None:
    assert "kubectl -n default delete pod api-hello-test" in helm4.notes(minimal())


ROLE = {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "pods"}}}


def test_notes_say_that_provisioning_and_the_pods_never_share_a_role(helm4: Helm) -> None:
    assert "never share a role" not in helm4.notes(minimal())
    notes = helm4.notes(minimal(**ROLE))
    assert "never share a role" in notes
    assert "set\nprovision.serviceAccount.annotations to a role of its own" in notes


@pytest.mark.parametrize("part", ["serviceAccount", "gateway"])
def test_notes_warn_of_a_role_that_provisioning_shares(helm4: Helm, part: str) -> None:
    shared = {**ROLE, "gateway": ROLE} if part == "gateway" else ROLE
    warning = "WARNING: provision.serviceAccount.annotations names a role that pods have, too"
    assert warning in helm4.notes(minimal(provision=ROLE, **shared))
    own = {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "its-own"}}}
    assert warning not in helm4.notes(minimal(provision=own, **shared))
