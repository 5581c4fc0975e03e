"""Pure decisions about webhooks: which addresses, when again, which signature."""

import base64
import ipaddress
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import standardwebhooks

from cortex_async import limits
from cortex_async.config import DeliveryConfig
from cortex_async.gateway.webhooks.receivers import AddressRefused, Receivers
from cortex_async.gateway.webhooks.schedule import Answer, Result, after
from cortex_async.gateway.webhooks.signing import Signer
from cortex_async.queue.event import END, Event, decode
from cortex_async.queue.message import NotOurs

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "::1", "fd00::1", "::",
    "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "fec0::1",
    "::10.0.0.1", "64:ff9b:1::a00:1", "::ffff:0:10.0.0.1", "5f00::1",
]  # fmt: skip
NEVER = ["169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254"]
PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


def receivers(*hosts: str, private: bool = False) -> Receivers:
    return Receivers(DeliveryConfig(None, "/none", hosts, private))


def connects(to: Receivers, host: str) -> bool:
    """Whether a socket is made for an address that a name was resolved to."""
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    try:
        to.socket_for((family, socket.SOCK_STREAM, 0, "", (host, 443))).close()
    except AddressRefused:
        return False
    return True


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_connected_to(host: str) -> None:
    assert connects(receivers(), host)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_only_where_the_values_allow_them(host: str) -> None:
    assert not connects(receivers(), host)
    assert connects(receivers(private=True), host) == (host not in ("0.0.0.0", "::"))


@pytest.mark.parametrize("host", NEVER)
def test_addresses_of_the_link_and_the_node_never(host: str) -> None:
    assert not connects(receivers(private=True), host)


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://a.example.com/hook?x=1", True),
        ("https://A.Example.com./hook", True),
        ("https://b.a.example.com:8443", True),
        ("https://example.com/", False),
        ("https://example.com.evil.org/", False),
        ("https://evilexample.com/", False),
        ("http://a.example.com/", False),
        ("https://a.example.com/#part", False),
        ("https://a.example.com/ x", False),
        ("https:///path", False),
    ],
)
def test_hosts_that_clients_may_name(url: str, is_taken: bool) -> None:
    assert (receivers("*.example.com").problem(url) == "") == is_taken


def test_a_host_in_punycode_is_found_among_those_of_the_values() -> None:
    allowed = receivers("xn--bcher-kva.example", "*.xn--bcher-kva.example")
    assert allowed.problem("https://xn--bcher-kva.example/") == ""
    assert allowed.problem("https://a.xn--bcher-kva.example/") == ""


@pytest.mark.parametrize("status", [200, 204])
def test_a_2xx_is_delivered(status: int) -> None:
    assert after(Answer(status), 1, 0, 0.5) == (Result.DELIVERED, 0)


def test_gone_is_told_no_more() -> None:
    assert after(Answer(410), 1, 0, 0.5) == (Result.GONE, 0)


@pytest.mark.parametrize("status", [None, 302, 400, 404, 500, 503])
def test_pauses_grow_until_a_day_has_passed(status: int | None) -> None:
    age = 0.0
    pauses: list[int] = []
    while True:
        result, pause = after(Answer(status), len(pauses) + 1, age, 0.5)
        if result is Result.GIVEN_UP:
            break
        pauses.append(pause)
        age += pause
    assert tuple(pauses[:6]) == limits.WEBHOOK_RETRIES_SECONDS
    assert age == limits.WEBHOOK_PATIENCE_SECONDS  # and one try more at its very end
    assert max(pauses) <= limits.SQS_VISIBILITY_SECONDS


@pytest.mark.parametrize(("text", "pause"), [("60", 60), ("1", 5), ("999999", 3_600), ("soon", 5), ("-1", 5)])
def test_retry_after_is_honoured_within_bounds(text: str, pause: int) -> None:
    assert after(Answer(503, retry_after=text), 1, 0, 0.5) == (Result.RETRIED, pause)


def test_jitter_is_a_tenth() -> None:
    assert [after(Answer(500), 2, 0, jitter)[1] for jitter in (0, 1)] == [270, 330]


def test_secrets_change_while_the_process_runs(tmp_path: Path) -> None:
    now = 0.0
    signer = Signer(str(tmp_path), lambda: now)
    assert signer.headers("id", 1_700_000_000, b"{}") is None
    old, new = ("whsec_" + base64.b64encode(bytes([each]) * 24).decode() for each in (1, 2))
    (tmp_path / "a").write_text(f"{old}\n")
    (tmp_path / "short").write_text("whsec_" + base64.b64encode(b"short").decode())
    now += limits.SECRETS_RELOAD_SECONDS
    headers = signer.headers("id", 1_700_000_000, b"{}")
    assert headers is not None
    assert len(headers["webhook-signature"].split()) == 1
    (tmp_path / "b").write_text(new)
    now += limits.SECRETS_RELOAD_SECONDS
    headers = signer.headers("id", 1_700_000_000, b"{}")
    assert headers is not None
    for secret, signature in zip((old, new), headers["webhook-signature"].split(), strict=True):
        hook = standardwebhooks.Webhook(secret)
        assert hook.sign("id", datetime.fromtimestamp(1_700_000_000, UTC), "{}") == signature


def test_an_event_is_read_as_it_was_written() -> None:
    event = Event("01a20000-0000-8000-8000-000000000000", END, 1_700_000_000.5, "https://a.example.com/")
    assert decode(event.encode()) == event


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "{}", '{"version": 2}', '{"version": 1, "event": "x"}', "[" * 9999]
)
def test_what_is_no_event_is_not_ours(body: str) -> None:
    with pytest.raises(NotOurs):
        decode(body)
