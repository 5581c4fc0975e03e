"""Webhooks: each end of a request is told to its receiver, signed, until that has taken it."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import standardwebhooks

from support.dead_letters import put
from support.processes import wait_until
from support.stack import Client, Stack
from support.webhook_receiver import Receiver, Told, new_secret, receiving

CALLBACK = "X-Callback-Url"
MakeHooked = Callable[..., Stack]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder as a Secret is mounted, with one secret."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "first").write_text(new_secret())
    return folder


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def make_hooked(make_stack: Callable[..., Stack], secrets: Path) -> MakeHooked:
    """Make a stack that sends webhooks, provisioned, with a container and a gateway."""

    def make(
        url: str | None = None, events: tuple[str, ...] = ("completed", "failed", "cancelled"), **more: Any
    ) -> Stack:
        delivery = {"url": url, "folder": str(secrets), "allowedHosts": [], "allowPrivateAddresses": True} | more
        queue = f"webhooks-{os.urandom(4).hex()}"
        told = {"queueName": queue, "events": list(events), "everyRequest": url is not None}
        stack = make_stack({"gateway": {"webhooks": delivery}, "webhooks": told})
        stack.provision()
        stack.web_server()
        stack.gateway()
        return stack

    return make


def events_waiting(stack: Stack) -> tuple[int, int]:
    return stack.queue_depth(stack.document["webhooks"]["queueName"])


async def post(api: Client, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    async with api.http.post(f"{api.stack.url}{path}", headers=headers) as response:
        return response.status, await response.json()


def by_request(told: list[Told]) -> dict[str, Told]:
    return {each.document["data"]["id"]: each for each in told}


async def test_each_end_is_told_signed_by_every_secret(
    make_hooked: MakeHooked, receiver: Receiver, secrets: Path, http: aiohttp.ClientSession
) -> None:
    (secrets / "second").write_text(new_secret())
    stack = make_hooked()
    stack.dispatcher()
    api = Client(stack, http)
    good = await api.submit(b'{"n": 1}', headers={CALLBACK: receiver.url, "Content-Type": "application/json"})
    bad = await api.submit(query="?status=418", headers={CALLBACK: receiver.url})
    untold = await api.submit()
    told = by_request(await receiver.wait_for(2))
    assert told.keys() == {good, bad}
    live = [each.read_text() for each in (secrets / "first", secrets / "second")]
    for request_id, kind in ((good, "completed"), (bad, "failed")):
        each, answer = told[request_id], await api.ended(request_id)
        assert [each.verified(secret)["type"] for secret in live] == [kind, kind]
        assert each.document == {"type": kind, "timestamp": answer["timestamp"], "data": answer}
        assert each.headers["webhook-id"] == f"{request_id}-{kind}"
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            each.verified(new_secret())
    await api.ended(untold)
    wait_until("no event to wait", lambda: events_waiting(stack) == (0, 0))
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    assert len(receiver.told) == 2


async def test_requests_that_name_no_url_are_told_to_that_of_the_values_start_and_end(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    stack = make_hooked(receiver.url, ("start", "completed"))
    stack.dispatcher()
    api = Client(stack, http)
    request_id, failed = await api.submit(query="?sleep=0.1"), await api.submit(query="?status=418")
    told = await receiver.wait_for(3)
    wait_until("no event to wait", lambda: events_waiting(stack) == (0, 0))
    found = sorted((each.document["data"]["id"], each.kind) for each in told)
    assert found == sorted([(request_id, "start"), (request_id, "completed"), (failed, "start")])


async def test_what_a_receiver_does_not_take_is_tried_again_by_another_gateway_too(
    make_hooked: MakeHooked, receiver: Receiver, secrets: Path, http: aiohttp.ClientSession
) -> None:
    receiver.answers = [500]
    stack = make_hooked(receiver.url)
    stack.dispatcher()
    api = Client(stack, http)
    request_id = await api.submit()
    await receiver.wait_for(1)
    wait_until("the event to be put back", lambda: "retried" in stack.latest("gateway").log)
    stack.latest("gateway").stop()
    stack.gateway()
    first, second = await receiver.wait_for(2)
    assert second.verified((secrets / "first").read_text())["data"]["id"] == request_id
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    wait_until("no event to wait", lambda: events_waiting(stack) == (0, 0))


async def test_a_result_does_not_wait_for_a_receiver_that_hangs(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    receiver.hangs = True
    stack = make_hooked(receiver.url)
    stack.dispatcher()
    api = Client(stack, http)
    for _ in range(3):
        assert (await api.ended(await api.submit()))["status"] == "completed"
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))
    await receiver.wait_for(3)


async def test_a_cancelled_request_is_told_when_its_turn_comes(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    stack = make_hooked()
    api = Client(stack, http)
    request_id = await api.submit(headers={CALLBACK: receiver.url})
    async with http.delete(f"{stack.url}/{request_id}") as response:
        assert response.status == 202
    stack.dispatcher()
    (told,) = await receiver.wait_for(1)
    assert (told.kind, told.document["data"]["error"]["code"]) == ("cancelled", "cancelled")
    assert (await post(api, f"/{request_id}/webhook"))[0] == 202  # the URL is kept
    await receiver.wait_for(2)


async def test_an_end_is_told_though_the_dispatcher_was_killed_before_it_said_so(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    stack = make_hooked()
    api = Client(stack, http)
    request_id = await api.submit(headers={CALLBACK: receiver.url})
    dispatcher = stack.dispatcher(wait=False)
    dispatcher.kill()
    metadata = {"status": "completed", "attempt": "1", "finished": "2026-01-01T00:00:00.000+00:00"}
    put(stack, request_id, "result", metadata)
    _come_back(stack)
    stack.dispatcher()
    (told,) = await receiver.wait_for(1)
    assert (told.kind, told.document["data"]["id"]) == ("completed", request_id)
    assert stack.started() == []


def _come_back(stack: Stack) -> None:
    """Receive each message once and let it go, as SQS does when a pod dies."""
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    for each in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)


async def test_a_webhook_is_sent_once_more_when_asked(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    stack = make_hooked()
    stack.dispatcher()
    api = Client(stack, http)
    request_id = await api.submit(headers={CALLBACK: receiver.url})
    await receiver.wait_for(1)
    status, document = await post(api, f"/{request_id}/webhook")
    assert (status, document) == (
        202,
        {"id": request_id, "webhook_id": f"{request_id}-completed", "type": "completed"},
    )
    first, second = await receiver.wait_for(2)
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    untold, running = await api.submit(), await api.submit(query="?hold")
    await api.ended(untold)
    for name, expected in (
        (untold, (409, "no_webhook")),
        (running, (409, "not_ended")),
        ("x", (404, "unknown_id")),
    ):
        status, document = await post(api, f"/{name}/webhook")
        assert (status, document["error"]["code"]) == expected
    stack.let_go()


async def test_a_large_result_is_named_instead_of_told(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    stack = make_hooked(receiver.url)
    stack.dispatcher()
    api = Client(stack, http)
    request_id = await api.submit(query="?fill=300000")
    (told,) = await receiver.wait_for(1)
    assert told.document["data"]["result"] is None
    assert told.document["data"]["result_url"] == f"/{stack.name}/{request_id}/result"


async def test_a_redirect_is_not_followed_and_410_ends_it(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    receiver.answers = [302, 410]
    stack = make_hooked(receiver.url)
    stack.dispatcher()
    await Client(stack, http).submit()
    await receiver.wait_for(2)
    wait_until("no event to wait", lambda: events_waiting(stack) == (0, 0))
    assert receiver.elsewhere == 0


async def test_a_secret_that_is_put_there_later_signs(
    make_hooked: MakeHooked, receiver: Receiver, secrets: Path, http: aiohttp.ClientSession
) -> None:
    (secrets / "first").write_text("no secret of Standard Webhooks")
    stack = make_hooked(receiver.url)
    stack.dispatcher()
    await Client(stack, http).submit()
    wait_until("the event to be put back", lambda: "retried" in stack.latest("gateway").log)
    assert receiver.told == []
    (secrets / "first").write_text(secret := new_secret())
    (told,) = await receiver.wait_for(1)
    assert told.verified(secret)["type"] == "completed"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://user:word@receiver.example.com/",
        "ftp://receiver.example.com/",
        "receiver.example.com",
        "https://receiver.example.com/" + "a" * 1024,
    ],
)
async def test_what_is_no_public_receiver_is_refused_at_the_submission(
    make_hooked: MakeHooked, http: aiohttp.ClientSession, url: str
) -> None:
    stack = make_hooked(allowPrivateAddresses=False)
    status, document = await post(Client(stack, http), "", {CALLBACK: url})
    assert (status, document["error"]["code"]) == (400, "invalid_callback")


async def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(
    make_hooked: MakeHooked, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    stack = make_hooked(allowPrivateAddresses=False)
    stack.dispatcher()
    port = receiver.url.split(":")[2].split("/")[0]
    await Client(stack, http).submit(headers={CALLBACK: f"https://localhost:{port}/hook"})
    wait_until(
        "the event to be put back", lambda: "is a private or special address" in stack.latest("gateway").log
    )
    assert receiver.told == []


async def test_an_api_without_webhooks_takes_no_url(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.provision()
    stack.gateway()
    status, document = await post(Client(stack, http), "", {CALLBACK: "https://receiver.example.com/"})
    assert (status, document["error"]["code"]) == (400, "invalid_callback")
