"""What helm renders is what a cluster takes, from the oldest to the newest version that the chart supports."""

import pathlib
from typing import Any

import pytest
import yaml

from chart.helm_cli import ROOT, Helm, merged, minimal
from chart.kubernetes import VERSIONS, validate
from chart.objects import kinds

EXAMPLES = sorted([*ROOT.glob("values/*.yaml"), *ROOT.glob("values/*/values.yaml")])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT / "values")))
def test_every_example_is_valid(helm: Helm, path: pathlib.Path, version: str) -> None:
    validate(helm.template(path, options=["--kube-version", version]), [version])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT / "values")))
def test_every_example_passes_a_strict_lint(helm: Helm, path: pathlib.Path) -> None:
    helm.lint(path)


AWKWARD = {
    "words that YAML takes for something else": (
        {"name": "true", "pod": {"containers": [{"name": "null", "image": "on"}, {"name": "y", "image": "1.0"}]}},
        ["--kube-version", "1.33"],
    ),
    "a release that is called like a number": (minimal(name="hello"), []),
    "no gateway autoscaler": (minimal(gateway={"autoscaling": {"enabled": False}}), []),
    "no provision": (minimal(provision={"enabled": False}), []),
    "no provision, but deletion": (minimal(provision={"enabled": False}, queue={"deleteOnUninstall": True}), []),
    "a queue of somebody else": (minimal(queue={"url": "https://sqs.eu-west-1.internal/1/mine.fifo"}), []),
    "service accounts of somebody else": (
        minimal(serviceAccount={"create": False, "name": "mine"}, gateway={"serviceAccount": {"create": False}}),
        [],
    ),
    "an emulator": (minimal(emulator={"enabled": True, "image": "emulator:1"}), []),
    "nothing but containers and an emulator": (
        {"pod": minimal()["pod"], "emulator": {"enabled": True, "image": "emulator:1"}},
        [],
    ),
    "an ingress for everyone": (minimal(networking={"ingress": {"enabled": True}}), []),
    "no resources": (
        minimal(
            gateway={"resources": {"requests": None}, "autoscaling": {"enabled": False}},
            dispatcher={"resources": {"requests": {"cpu": None, "memory": None}}},
        ),
        [],
    ),
    "lists and objects set to null": (
        minimal(
            node_groups=None,
            commonLabels=None,
            imagePullSecrets=None,
            queue={"retryOn": None},
            accelerators={"gpu": {"tolerations": None}},
            serviceAccount={"annotations": None},
            podLabels=None,
            extraEnv=None,
        )
        | {"global": None},
        [],
    ),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_values_are_valid_too(helm: Helm, case: str) -> None:
    values, options = AWKWARD[case]
    objects = helm.template(merged(minimal(name="hello"), values), release="1234", namespace="0", options=options)
    validate(objects)


def test_the_two_versions_of_helm_render_the_same(helm: Helm, helm4: Helm) -> None:
    path = ROOT / "values" / "all-options.yaml"

    def by_name(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"]))

    version = ["--kube-version", VERSIONS[-1]]  # else each takes the newest that it knows
    assert by_name(helm.template(path, options=version)) == by_name(helm4.template(path, options=version))


def test_the_two_values_that_a_user_needs_are_enough(helm: Helm) -> None:
    assert kinds(helm.template(minimal())) == {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy", "Pod", "PodDisruptionBudget",
        "Secret", "Service", "ServiceAccount",
    }  # fmt: skip


def test_published_cortex_entries_are_values_as_they_stand() -> None:
    for path in ROOT.glob("values/cortex-*.yaml"):
        values = yaml.safe_load(path.read_text())
        entry = {"name", "kind", "pod", "autoscaling", "node_groups", "update_strategy", "networking"}
        assert values.keys() - entry <= {"aws", "securityContext"}, path
