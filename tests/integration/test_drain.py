"""Shutdown and death of a dispatcher: what it held ends in exactly one result."""

import asyncio
import json
import signal
import urllib.request
from collections.abc import Callable
from typing import Any, cast

import aiohttp
import pytest

from cortex_async.dispatcher.admin import Admin
from cortex_async.dispatcher.readiness import Readiness
from support.processes import wait_until
from support.stack import Client, Stack

MakeStack = Callable[..., Stack]


async def test_releases_what_comes_while_draining(make_stack: MakeStack, http: aiohttp.ClientSession) -> None:
    """A message that the open receive still brings is given back at once, and is there for others."""
    api = Client(make_stack(), http)
    api.stack.all()
    dispatcher = api.stack.latest("dispatcher")
    dispatcher.signal(signal.SIGTERM)
    wait_until("the drain", lambda: "draining" in dispatcher.log)
    request_id = await api.submit(query="?answer=1")
    assert await asyncio.to_thread(dispatcher.wait) == 0
    assert api.stack.started() == []
    assert api.stack.queue_depth() == (1, 0)
    api.stack.dispatcher()
    assert (await api.ended(request_id))["result"] == 1


async def test_releases_what_cannot_finish_before_the_deadline(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"pod": {"terminationGracePeriodSeconds": 8}}), http)
    api.stack.all()
    request_id = await api.submit(query="?sleep=30&once&answer=1")
    wait_until("the request to be taken", lambda: api.stack.started() == [request_id])
    dispatcher = api.stack.latest("dispatcher")
    assert await asyncio.to_thread(dispatcher.stop) == 0
    lines = map(json.loads, dispatcher.log.splitlines())
    assert [line["given_back"] for line in lines if line["message"] == "drained"] == [1]
    assert api.stack.queue_depth() == (1, 0)
    api.stack.dispatcher()
    assert (await api.ended(request_id))["result"] == 1
    assert api.stack.started() == [request_id, request_id]


async def test_finished_request_is_not_run_again_when_only_its_deletion_was_lost(own_api: Client) -> None:
    """A dispatcher that dies between storing the result and deleting the message repeats nothing."""
    request_id = await own_api.submit(query="?answer=1")
    await own_api.ended(request_id)
    wait_until("an empty queue", lambda: own_api.stack.queue_depth() == (0, 0))
    wait_until("one start", lambda: len(own_api.stack.started()) == 1)
    # What is left of such a death: the result, and the message received once before.
    sqs = own_api.stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=own_api.stack.document["queue"]["name"])["QueueUrl"]
    assert own_api.stack.latest("dispatcher").stop() == 0
    body = f'{{"version":1,"id":"{request_id}","headers":[],"query":"answer=2","payload":{{"text":""}}}}'
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert len(sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", ())) == 1
    own_api.stack.dispatcher()
    wait_until("an empty queue", lambda: own_api.stack.queue_depth() == (0, 0))
    assert own_api.stack.started() == [request_id]
    assert (await own_api.ended(request_id))["result"] == 1


async def test_rolling_restart_under_load_fails_and_repeats_nothing(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack({"pod": {"maxConcurrency": 8}}), http)
    api.stack.all()
    ids: list[str] = []
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            ids.append(await api.submit(query="?sleep=0.05"))
            await asyncio.sleep(0.01)

    loading = asyncio.create_task(load())
    for _ in range(3):
        old = api.stack.latest("dispatcher")
        await asyncio.to_thread(api.stack.dispatcher)
        assert await asyncio.to_thread(old.stop) == 0
    stop.set()
    await loading
    documents = [await api.ended(request_id) for request_id in ids]
    assert {document["status"] for document in documents} == {"completed"}
    assert {document["result"]["attempt"] for document in documents} == {1}
    assert sorted(api.stack.started()) == sorted(ids)


async def test_exhausted_attempts_are_failed_and_dead_lettered(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    """A poison request: every pod that takes it is killed."""
    changes = {"pod": {"maxConcurrency": 1}, "queue": {"visibilityTimeoutSeconds": 3, "maxAttempts": 2}}
    api = Client(make_stack(changes), http)
    api.stack.provision()
    api.stack.web_server()
    api.stack.gateway()
    request_id = await api.submit(query="?sleep=600")
    for attempt in (1, 2):
        dispatcher = await asyncio.to_thread(api.stack.dispatcher)
        wait_until("the request to be taken", lambda attempt=attempt: len(api.stack.started()) == attempt)
        wait_until("the sign of it", lambda: f"{request_id}/in_progress" in api.stack.objects())
        dispatcher.kill()
    await asyncio.to_thread(api.stack.dispatcher)
    error = (await api.ended(request_id))["error"]
    assert (error["code"], error["attempts"]) == ("attempts_exhausted", 2)
    wait_until("the dead letter", lambda: api.stack.dead_letters() == 1)
    assert len(api.stack.started()) == 2


def drain(stack: Stack) -> dict[str, Any]:
    """Call what the containers' preStop calls."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.admin_port}/drain", timeout=60) as response:
        return dict(json.load(response))


async def test_drain_answers_when_the_last_request_has_ended(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    # one at a time: no open receive is waited for
    pod = {"maxConcurrency": 1, "terminationGracePeriodSeconds": 120}
    api = Client(make_stack({"pod": pod}), http)
    api.stack.all()
    request_id = await api.submit(query="?hold&answer=1")
    wait_until("the request to be taken", lambda: api.stack.started() == [request_id])
    dispatcher = api.stack.latest("dispatcher")
    dispatcher.signal(signal.SIGTERM)
    wait_until("the drain", lambda: "draining" in dispatcher.log)
    waiting = asyncio.create_task(asyncio.to_thread(drain, api.stack))
    assert not (await asyncio.wait({waiting}, timeout=0.5))[0]
    api.stack.let_go()
    assert (await waiting)["drained"] is True
    assert api.stack.ended() == [request_id]
    assert await asyncio.to_thread(dispatcher.wait) == 0
    assert (await api.ended(request_id))["result"] == 1


async def test_drain_without_a_shutdown_answers_by_itself_and_starts_none(own_api: Client) -> None:
    request_id = await own_api.submit(query="?hold&answer=1")
    wait_until("the request to be taken", lambda: own_api.stack.started() == [request_id])
    assert (await asyncio.to_thread(drain, own_api.stack))["drained"] is False
    assert own_api.stack.ended() == []
    own_api.stack.let_go()
    assert (await own_api.ended(request_id))["result"] == 1


async def test_drain_waits_for_a_shutdown_that_begins_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_async.limits.DRAIN_BEGINS_SECONDS", 60)
    admin = Admin(Readiness((), cast(aiohttp.ClientSession, None)))
    answering = asyncio.create_task(admin._drain(cast(aiohttp.web.Request, None)))
    for begins in (admin.draining, admin.drained):
        await asyncio.wait({answering}, timeout=0.1)
        assert not answering.done()
        begins.set()
    assert json.loads((await answering).text or "") == {"drained": True}


async def test_nothing_is_received_until_all_probes_pass(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    api = Client(make_stack(), http)
    api.stack.provision()
    api.stack.gateway()
    dispatcher = api.stack.dispatcher(wait=False)
    request_id = await api.submit(query="?answer=1")
    wait_until("the dispatcher", lambda: api.stack.readiness()[0], dispatcher)
    status, document = api.stack.readiness()
    assert status == 503
    assert any("/healthz" in what for what in document["waiting_for"])
    assert api.stack.queue_depth() == (1, 0)
    api.stack.web_server()
    assert (await api.ended(request_id))["result"] == 1
    api.stack.latest("web").kill()
    wait_until("readiness to be lost", lambda: api.stack.readiness()[0] == 503)
