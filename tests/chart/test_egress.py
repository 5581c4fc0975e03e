"""Whom the pods may connect to, where the values limit it."""

import ipaddress
from typing import Any

import pytest

from chart.helm_cli import Helm, merged, minimal
from chart.objects import find, pods

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
PARTS = ["api-hello", "api-hello-gateway", "api-hello-provision"]


def limited(**settings: Any) -> dict[str, Any]:
    return minimal(networkPolicy={"egress": {"enabled": True, **settings}})


def rules(helm: Helm, values: dict[str, Any], name: str = "api-hello") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = find(helm.template(values), "NetworkPolicy", name)["spec"]["egress"]
    return found


def may_reach(found: list[dict[str, Any]], address: str, port: int) -> bool:
    """Whether a rule allows an address outside of the cluster, over TCP."""
    here = ipaddress.ip_address(address)

    def within(block: dict[str, Any]) -> bool:
        excepted = [ipaddress.ip_network(each) for each in block.get("except", [])]
        return here in ipaddress.ip_network(block["cidr"]) and not any(here in each for each in excepted)

    return any(
        {"port": port, "protocol": "TCP"} in rule["ports"]
        and ("to" not in rule or any("ipBlock" in peer and within(peer["ipBlock"]) for peer in rule["to"]))
        for rule in found
    )


@pytest.mark.parametrize("policy", [{}, {"enabled": False, "egress": {"enabled": True}}])
def test_nothing_limits_it_unless_the_values_do(helm: Helm, policy: dict[str, Any]) -> None:
    objects = helm.template(minimal(networkPolicy=policy))
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    assert not [each for each in policies if "egress" in each or "Egress" in each["policyTypes"]]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_reaches_dns_and_aws_and_nothing_else(helm: Helm, part: str) -> None:
    objects = helm.template(limited())
    policy = find(objects, "NetworkPolicy", part)
    found = policy["spec"]["egress"]
    assert "Egress" in policy["spec"]["policyTypes"]
    assert found[0] == DNS
    assert len(found) == 2
    for address in ("52.218.1.1", "10.0.3.4", "2600:1f70::1"):
        assert may_reach(found, address, 443)
        assert not may_reach(found, address, 80)
    for address in ("169.254.169.254", "169.254.170.23", "fe80::1", "fd00:ec2::254"):
        assert not may_reach(found, address, 443)
        assert not may_reach(found, address, 80)
    chosen = policy["spec"]["podSelector"]["matchLabels"]
    selected = [owner for owner, pod in pods(objects) if chosen.items() <= pod["metadata"]["labels"].items()]
    assert [each["metadata"]["name"] for each in selected] == [part]


def test_the_jobs_policy_is_there_before_the_job(helm: Helm) -> None:
    values = merged(limited(), {"queue": {"deleteOnUninstall": True}})
    annotations = find(helm.template(values), "NetworkPolicy", "api-hello-provision")["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade,post-delete"
    assert int(annotations["helm.sh/hook-weight"]) < 0
    without = helm.template(merged(limited(), {"provision": {"enabled": False}}))
    assert not [each for each in without if each["metadata"]["name"] == "api-hello-provision"]


@pytest.mark.parametrize(
    ("setting", "address"), [("podIdentity", "169.254.170.23"), ("instanceMetadata", "169.254.169.254")]
)
def test_what_gives_keys_can_be_reached_where_the_values_say_so(helm: Helm, setting: str, address: str) -> None:
    for part in PARTS:
        found = rules(helm, limited(**{setting: True}), part)
        assert may_reach(found, address, 80)
        others = {"169.254.170.23", "169.254.169.254"} - {address}
        assert not any(may_reach(found, other, 80) for other in others)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        (None, 443),
        ("https://aws.internal", 443),
        ("http://minio.storage.svc", 80),
        ("https://aws.internal:8443", 8443),
        ("http://minio.storage.svc:9000", 9000),
    ],
)
def test_the_port_is_that_of_the_server(helm: Helm, url: str | None, port: int) -> None:
    found = rules(helm, merged(limited(), {"aws": {"endpointUrl": url}}))
    assert found[1]["ports"] == [{"port": port, "protocol": "TCP"}]


def test_addresses_and_ports_can_be_narrowed(helm: Helm) -> None:
    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    endpoints = {"ipBlock": {"cidr": "10.0.8.0/24"}}
    found = rules(helm, limited(dnsTo=[dns], dnsPorts=[5353], awsTo=[endpoints], awsPorts=[443, 3128]))
    assert found[0]["to"] == [dns]
    assert {each["port"] for each in found[0]["ports"]} == {5353}
    assert found[1]["to"] == [endpoints]
    assert may_reach(found, "10.0.8.9", 3128)
    assert not may_reach(found, "52.218.1.1", 443)


def test_the_users_containers_reach_more_where_the_values_say_so_and_the_gateway_does_not(helm: Helm) -> None:
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}
    more = [{"to": [operator], "ports": [{"port": 8888}, {"port": 4317, "protocol": "UDP"}]}, {"to": [operator]}]
    values = limited(podsTo=more)
    ports = [{"port": 8888, "protocol": "TCP"}, {"port": 4317, "protocol": "UDP"}]
    assert rules(helm, values)[2:] == [{"to": [operator], "ports": ports}, {"to": [operator]}]
    assert len(rules(helm, values, "api-hello-gateway")) == 2
    assert len(rules(helm, values, "api-hello-provision")) == 2


def test_who_sends_spans_reaches_their_receiver(helm: Helm) -> None:
    receiver = {"tracing": {"endpoint": "http://otel-collector.monitoring:4318/v1"}}
    values = merged(limited(), {"monitoring": receiver})
    for part, port in (("api-hello", 4318), ("api-hello-gateway", 4318), ("api-hello-provision", 443)):
        assert may_reach(rules(helm, values, part), "10.1.2.3", port)
    assert not may_reach(rules(helm, values, "api-hello-provision"), "10.1.2.3", 4318)


def test_the_emulator_takes_the_place_of_aws(helm: Helm) -> None:
    values = merged(limited(), {"emulator": {"enabled": True, "image": "emulator:1"}})
    objects = helm.template(values)
    emulator = find(objects, "Deployment", "api-hello-emulator")["spec"]["template"]["metadata"]["labels"]
    for part in PARTS:
        policy = find(objects, "NetworkPolicy", part)
        assert "annotations" not in policy["metadata"]
        dns, server = policy["spec"]["egress"]
        assert dns == DNS
        assert server["ports"] == [{"port": 4566, "protocol": "TCP"}]
        (peer,) = server["to"]
        assert peer["podSelector"]["matchLabels"].items() <= emulator.items()
