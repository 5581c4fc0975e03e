"""Submitting requests, waiting for them, cancelling them."""

import threading
import time

import pytest

import cortex
from client.conftest import Use
from cortex import exceptions
from support.coming_gateway import ComingGateway


def test_payloads_reach_the_gateway_as_what_they_are(use: Use) -> None:
    gateway = ComingGateway()
    client = use(gateway)
    client.submit("hello", {"a": [1, 2**70]})
    client.submit("hello", "text")
    client.submit("hello", b"\x00", content_type="image/png", headers={"X-Mine": "1"}, query={"q": "a b"})
    sent = [(payload, headers["Content-Type"]) for _, payload, headers in gateway.submitted]
    assert sent == [
        (b'{"a": [1, 1180591620717411303424]}', "application/json"),
        (b"text", "text/plain; charset=utf-8"),
        (b"\x00", "image/png"),
    ]
    assert gateway.submitted[2][2]["X-Mine"] == "1"


def test_a_result_is_returned_with_every_digit(use: Use) -> None:
    client = use(ComingGateway())
    request = client.submit("hello", [2**70, 0.5])
    assert request.result(timeout=10) == [2**70, 0.5]
    assert request.status() == "completed"
    assert client.request("hello", request.id).result() == [2**70, 0.5]


@pytest.mark.parametrize("failure", ["unavailable", "cut"])
def test_a_submission_of_unknown_fate_is_repeated_under_its_key(use: Use, failure: str) -> None:
    gateway = ComingGateway()
    client = use(gateway)
    gateway.failures = [failure, failure]
    request = client.submit("hello", {"n": 1})
    assert request.result(timeout=10) == {"n": 1}
    assert len(gateway.submitted) == 1


@pytest.mark.parametrize("failure", ["unavailable", "cut"])
def test_where_no_key_is_known_a_submission_of_unknown_fate_is_not_repeated(use: Use, failure: str) -> None:
    gateway = ComingGateway(knows_more=False)
    client = use(gateway)
    gateway.failures = [failure]
    with pytest.raises(exceptions.SubmissionUncertain, match="may run twice"):
        client.submit("hello", {"n": 1})
    assert len(gateway.submitted) == 1


def test_what_was_surely_not_accepted_is_repeated_by_any_gateway(use: Use) -> None:
    gateway = ComingGateway(knows_more=False)
    client = use(gateway)
    gateway.failures = ["busy", "busy"]
    assert client.submit("hello", 1).result(timeout=10) == 1


def test_the_same_key_from_elsewhere_is_the_same_request(use: Use) -> None:
    client = use(ComingGateway())
    first = client.submit("hello", 1, idempotency_key="order-7")
    assert client.submit("hello", 1, idempotency_key="order-7").id == first.id
    assert client.submit("hello", 1).id != first.id


@pytest.mark.parametrize("knows_more", [True, False])
def test_a_result_is_waited_for_by_gateways_that_can_and_by_polls_otherwise(use: Use, knows_more: bool) -> None:
    gateway = ComingGateway(knows_more=knows_more)
    gateway.ends_at_once = False
    client = use(gateway)
    request = client.submit("hello", 1)

    def end() -> None:
        while not gateway.waited and not gateway.knows_more:
            time.sleep(0.01)
        gateway.documents[request.id] = {"id": request.id, "status": "completed", "result": None}

    ending = threading.Timer(0.2, end)
    ending.start()
    assert request.result(timeout=30) is None
    ending.join()
    assert (len(gateway.waited) == 1) == knows_more


def test_a_request_that_takes_too_long_goes_on(use: Use) -> None:
    gateway = ComingGateway()
    gateway.ends_at_once = False
    request = use(gateway).submit("hello", 1)
    with pytest.raises(exceptions.ResultTimeout, match="goes on"):
        request.result(timeout=0.3)
    with pytest.raises(TimeoutError):
        request.result(timeout=0)
    assert request.status() == "in_queue"


def test_a_failed_request_tells_why(use: Use) -> None:
    gateway = ComingGateway()
    request = use(gateway).submit("hello", 1)
    error = {"code": "bad_status", "message": "the container answered 500", "attempts": 1}
    gateway.documents[request.id] = {"id": request.id, "status": "failed", "error": error}
    with pytest.raises(exceptions.RequestFailed, match="answered 500") as raised:
        request.result()
    assert (raised.value.status, raised.value.document) == ("failed", error)


def test_a_cancelled_request_has_no_result(use: Use) -> None:
    gateway = ComingGateway()
    gateway.ends_at_once = False
    request = use(gateway).submit("hello", 1)
    request.cancel()
    with pytest.raises(exceptions.RequestCancelled, match="was cancelled"):
        request.result()
    with pytest.raises(exceptions.RequestEnded):
        request.cancel()


def test_a_gateway_that_cannot_cancel_is_told_from_a_request_that_is_not_there(use: Use) -> None:
    with pytest.raises(exceptions.NotSupported, match="cannot cancel"):
        use(ComingGateway(knows_more=False)).submit("hello", 1).cancel()
    with pytest.raises(exceptions.RequestNotFound):
        use(ComingGateway()).request("hello", "other").cancel()


def test_a_refused_submission_is_not_repeated(use: Use) -> None:
    gateway = ComingGateway()
    client = use(gateway)
    gateway.failures = ["refuse"]
    with pytest.raises(exceptions.RequestRefused, match="too large") as raised:
        client.submit("hello", 1)
    assert (raised.value.status, raised.value.code) == (413, "payload_too_large")
    with pytest.raises(exceptions.NotFound):
        client.request("hello", "other").status()


def test_a_gateway_that_is_away_has_accepted_nothing(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex.transport.pause_seconds", lambda *_: 0.0)
    client = use(ComingGateway())
    client.endpoint("hello")
    client._endpoints["hello"] = "http://127.0.0.1:1/hello"
    with pytest.raises(exceptions.GatewayUnavailable) as raised:
        client.submit("hello", 1)
    assert not isinstance(raised.value, exceptions.SubmissionUncertain)


def test_map_keeps_the_order_and_the_bound(use: Use) -> None:
    gateway = ComingGateway()
    taken = 0

    def payloads() -> object:
        nonlocal taken
        for number in range(60):
            taken += 1
            yield number

    client = use(gateway)
    results = client.map("hello", payloads(), concurrency=3)  # type: ignore[arg-type] # a generator
    assert next(results) == 0
    assert taken <= 6
    assert list(results) == list(range(1, 60))
    assert gateway.most_at_once <= 3


def test_map_raises_or_yields_what_a_request_raises(use: Use) -> None:
    gateway = ComingGateway()
    client = use(gateway)
    gateway.failures = ["refuse"]
    found = list(client.map("hello", [1, 2, 3], concurrency=1, return_exceptions=True))
    assert isinstance(found[0], exceptions.RequestRefused)
    assert found[1:] == [2, 3]
    gateway.failures = ["refuse"]
    with pytest.raises(exceptions.RequestRefused):
        list(client.map("hello", [1, 2, 3]))


def test_map_shows_how_far_it_is(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    client = use(ComingGateway())
    list(client.map("hello", [1, 2], progress=True))
    assert "2/2" in capsys.readouterr().err
    list(client.map("hello", [1, 2]))
    assert capsys.readouterr().err == ""


async def test_the_async_client_does_the_same(use: Use) -> None:
    gateway = ComingGateway()
    async with cortex.AsyncClient(use(gateway)) as client:
        request = await client.submit("hello", {"n": 1})
        assert await request.result(timeout=10) == {"n": 1}
        assert await request.status() == "completed"
        assert [each async for each in client.map("hello", range(20), concurrency=3)] == list(range(20))
        assert gateway.most_at_once <= 3
        gateway.ends_at_once = False
        waiting = await client.submit("hello", 1)
        with pytest.raises(exceptions.ResultTimeout):
            await waiting.result(timeout=0.2)
        await waiting.cancel()
        with pytest.raises(exceptions.RequestCancelled):
            await (await client.request("hello", waiting.id)).result()
        with pytest.raises(exceptions.NotSupported):
            await client.get_job("hello", "1")
