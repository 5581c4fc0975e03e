"""What Argo CD, Flux and kubectl apply get: no hooks, nothing looked up, and the same each time."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from cloudcoil.models.fluxcd.helm.v2 import HelmRelease
from cloudcoil.models.fluxcd.source.v1 import GitRepository

from chart.helm_cli import CHART, ROOT, Helm, Object, merged, minimal
from chart.kubernetes import fields_are_known, validate
from chart.objects import find, kinds

GITOPS: dict[str, Any] = {"gitops": {"enabled": True}, "autoscaling": {"engine": "keda"}}


def _job(helm: Helm, **more: Any) -> Object:
    return find(helm.template(minimal(**GITOPS, **more)), "Job")


def test_it_is_the_same_each_time_and_has_no_hook(helm: Helm) -> None:
    values = minimal(**GITOPS)
    first, second = (helm.manifest(values) for _ in range(2))
    assert first == second
    assert "helm.sh/hook" not in first
    validate(helm.template(values))


def test_no_list_is_empty_which_the_api_server_would_store_as_none_and_see_changed_by_each_apply(
    helm: Helm,
) -> None:
    for values in (minimal(**GITOPS), yaml.safe_load((ROOT / "values" / "all-options.yaml").read_text())):
        for each in helm.template(values):
            assert "[]" not in yaml.safe_dump({**each, "data": None}), each["kind"]


def test_there_is_no_pod_for_helm_test(helm: Helm) -> None:
    assert "Pod" not in kinds(helm.template(minimal(**GITOPS)))


def test_an_upgrade_renders_what_an_installation_does(helm: Helm) -> None:
    values = minimal(**GITOPS)
    assert helm.template(values, options=["--is-upgrade"]) == helm.template(values)


@pytest.mark.parametrize(
    ("scaling", "replicas"),
    [
        ({"engine": "keda"}, None),
        ({"engine": "none"}, 1),
        ({"engine": "none", "min_replicas": 3}, 3),
        ({"engine": "none", "min_replicas": 2, "init_replicas": 4}, 4),
    ],
)
def test_the_deployment_names_its_replicas_where_nothing_scales(
    helm: Helm, scaling: dict[str, Any], replicas: int | None
) -> None:
    objects = helm.template(minimal(gitops={"enabled": True}, autoscaling=scaling))
    assert find(objects, "Deployment", "api-hello")["spec"].get("replicas") == replicas
    assert [each["kind"] for each in objects].count("Job") == 1  # provisioning's: none sets the number


def test_the_job_is_named_by_its_content(helm: Helm) -> None:
    names = [
        _job(helm)["metadata"]["name"],
        _job(helm, queue={"maxAttempts": 5})["metadata"]["name"],
        _job(helm, image={"tag": "9"})["metadata"]["name"],
        _job(helm, provision={"backoffLimit": 5})["metadata"]["name"],
    ]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("api-hello-provision-[0-9a-f]{6}", name) for name in names)
    assert names[0] == _job(helm)["metadata"]["name"]


def test_the_name_of_the_longest_api_is_no_longer_than_a_job_may_have(helm: Helm) -> None:
    objects = helm.template(minimal(**GITOPS, name="a" * 42))
    assert len(find(objects, "Job")["metadata"]["name"]) <= 63


def test_the_job_is_the_same_whatever_does_not_concern_it(helm: Helm) -> None:
    other = {"pod": {"containers": [{"name": "api", "image": "api:2"}]}, "podLabels": {"tier": "back"}}
    assert _job(helm, **other) == _job(helm)


def test_what_the_job_needs_is_an_ordinary_part_of_the_release(helm: Helm) -> None:
    objects = helm.template(minimal(**GITOPS))
    pod = find(objects, "Job")["spec"]["template"]["spec"]
    account = find(objects, "ServiceAccount", pod["serviceAccountName"])
    (volume,) = pod["volumes"]
    config = find(objects, "ConfigMap", volume["configMap"]["name"])
    assert "annotations" not in account["metadata"]
    assert json.loads(config["data"]["api.json"])["name"] == "hello"


def test_a_refusal_of_aws_is_tried_again_since_the_role_may_come_at_the_same_time(helm: Helm) -> None:
    assert [rule["action"] for rule in _job(helm)["spec"]["podFailurePolicy"]["rules"]] == ["Ignore"]


@pytest.mark.parametrize("more", [{}, GITOPS], ids=["helm", "gitops"])
def test_no_selector_knows_the_name_of_the_release(helm: Helm, more: dict[str, Any]) -> None:
    """Argo CD writes app.kubernetes.io/instance itself, and selectors of Deployments never change."""
    monitored = {"monitoring": {"podMonitor": {"enabled": True}}}

    def selectors(release: str) -> dict[str, Any]:
        objects = helm.template(minimal(name="hello", **more, **monitored), release=release)
        found = {f"{each['kind']}/{each['metadata']['name']}": each.get("spec", {}) for each in objects}
        selecting = {name: spec.get("selector", spec.get("podSelector")) for name, spec in found.items()}
        return {name: selector for name, selector in selecting.items() if selector}

    assert len(selectors("first")) >= 6
    assert selectors("first") == selectors("another")


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
SOURCE = _closed(
    repoURL=TEXT,
    targetRevision=TEXT,
    path=TEXT,
    ref=TEXT,
    helm=_closed(releaseName=TEXT, valueFiles=TEXTS, valuesObject={"type": "object"}),
)
APPLICATION = _closed(
    apiVersion={"const": "argoproj.io/v1alpha1"},
    kind={"const": "Application"},
    metadata=_closed(name=TEXT, namespace=TEXT),
    spec={
        "required": ["project", "destination"],
        **_closed(
            project=TEXT,
            sources={"type": "array", "items": {"required": ["repoURL"], **SOURCE}},
            destination=_closed(server=TEXT, namespace=TEXT),
            syncPolicy=_closed(
                automated=_closed(prune={"type": "boolean"}, selfHeal={"type": "boolean"}), syncOptions=TEXTS
            ),
        ),
    },
)
"""Of the published definition of an Application, the fields that the page uses; no package carries its model."""


def _documents() -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", (CHART / "GITOPS.md").read_text(), re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


def test_the_examples_of_the_page_are_what_argo_cd_and_flux_take(helm4: Helm) -> None:
    platform, application, repository, release = _documents()
    jsonschema.validate(application, APPLICATION)
    fields_are_known(repository, GitRepository.model_validate(repository))
    fields_are_known(release, HelmRelease.model_validate(release))
    aws = {"aws": {"region": "eu-west-1", "bucket": "results"}}
    objects = helm4.template(merged(merged(release["spec"]["values"], platform), aws), namespace="apis")
    assert find(objects, "Deployment", "api-hello")
    (chart, _) = application["spec"]["sources"]
    assert {chart["path"], release["spec"]["chart"]["spec"]["chart"]} == {"charts/cortex-async"}
