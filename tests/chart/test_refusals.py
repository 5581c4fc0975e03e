"""What the schema and the rules refuse, and that the message names the field."""

import re

import pytest

from chart.helm_cli import CHART, Helm, Refused, at, merged, minimal
from chart.objects import find
from chart.refusals import REFUSALS, Refusal


def named(message: str) -> str:
    """The message with paths as the rules write them, whether helm wrote /a/0/b or a rule a[0].b."""
    return re.sub(r"\[(\d+)\]", r".\1", re.sub(r"(?<=')/([^']*)(?=')", lambda m: m[1].replace("/", "."), message))


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[0])
def test_lint_refuses_what_breaks_a_rule_and_names_the_field(helm4: Helm, refusal: Refusal) -> None:
    rule, values, field = refusal
    with pytest.raises(Refused) as refused:
        helm4.lint(values)
    message = named(str(refused.value))
    *parents, key = field.split(".")
    whole = re.search(rf"(?<![\w.]){re.escape(field)}(?!\w)", message)
    parts = re.search(rf"'{re.escape('.'.join(parents))}'.*['\"]{re.escape(key)}['\"]", message)
    assert whole or parts, f"{rule}: {field} is not named by:\n{message}"


def test_other_versions_of_helm_refuse_by_schema_and_by_rule_in_the_same_words(helm: Helm) -> None:
    with pytest.raises(Refused, match=r"at '': additional properties 'nam' not allowed"):
        helm.lint(minimal(nam="x"))
    with pytest.raises(Refused, match=r"- autoscaling.window: 15s is not a multiple of 10s"):
        helm.lint(minimal(autoscaling={"window": "15s"}))


def test_all_problems_are_told_at_once(helm: Helm) -> None:
    values = minimal(
        aws={"region": None},
        autoscaling={"window": "15s", "min_replicas": 5, "max_replicas": 4},
        update_strategy={"max_surge": 0, "max_unavailable": 0},
        extraVolumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    with pytest.raises(Refused) as refused:
        helm.template(values)
    for field in (
        "aws.region",
        "autoscaling.window",
        "autoscaling.max_replicas",
        "update_strategy",
        "extraVolumeMounts",
    ):
        assert f"- {field}" in str(refused.value)


@pytest.mark.parametrize("release", ["a" * 43, "1st", "a.b"])
def test_a_release_name_that_no_api_can_have_asks_for_a_name(helm: Helm, release: str) -> None:
    with pytest.raises(Refused, match=r"- name: the release name .* set name"):
        helm.template(minimal(), release=release)
    assert helm.template(minimal(name="fine"), release=release)


@pytest.mark.parametrize("path", (CHART / "files" / "never-null.txt").read_text().split())
def test_a_key_that_must_have_a_value_is_not_null(helm4: Helm, path: str) -> None:
    if path == "pod":  # without containers the schema is the first to refuse
        return
    with pytest.raises(Refused, match=rf"- {re.escape(path)}: must not be null|'/{path.replace('.', '/')}'"):
        helm4.template(merged(minimal(), at(path, None)))


def test_an_autoscaled_gateway_requests_cpu(helm: Helm) -> None:
    values = minimal(gateway={"resources": {"requests": {"cpu": None}}})
    with pytest.raises(Refused, match=r"- gateway.resources.requests.cpu: .*autoscaling"):
        helm.template(values)
    helm.template(merged(values, at("gateway.autoscaling.enabled", False)))


def test_other_kubernetes_versions_are_refused(helm: Helm) -> None:
    with pytest.raises(Refused, match="kubeVersion"):
        helm.template(minimal(), options=["--kube-version", "1.28.0"])


@pytest.mark.parametrize(
    "cidr",
    [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.0.128.0/17",
        "1.2.3.4/32",
        "::/0",
        "2001:db8::/32",
        "fe80::/10",
        "1:2:3:4:5:6:7:8/128",
    ],
)
def test_first_address_of_a_range_is_taken(helm: Helm, cidr: str) -> None:
    objects = helm.template(minimal(networkPolicy={"gatewayFrom": [{"ipBlock": {"cidr": cidr}}]}))
    (rule,) = find(objects, "NetworkPolicy", "api-hello-gateway")["spec"]["ingress"]
    assert rule["from"][0] == {"ipBlock": {"cidr": cidr}}
