"""One gateway for many APIs: found by their ConfigMaps, loaded and unloaded while it runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from support.api_document import api_document
from support.kubernetes_api import ApiServer, serving
from support.processes import WAIT_SECONDS, Emulator, wait_until
from support.shared_gateway import SharedGateway
from support.stack import Client, Stack, readiness

MakeStack = Callable[..., Stack]


@pytest.fixture
def shared(emulator: Emulator, tmp_path: Path) -> Iterator[SharedGateway]:
    with serving(ApiServer(), tmp_path) as cluster:
        gateway = SharedGateway(cluster, emulator, tmp_path)
        yield gateway
        if gateway.process is not None and gateway.process.is_running():
            gateway.process.kill()


@pytest.fixture
def make_api(make_stack: MakeStack) -> MakeStack:
    """Make an API that has a queue, a dispatcher and a container, but no gateway of its own."""

    def make(changes: Any = None) -> Stack:
        stack = make_stack(changes)
        stack.provision()
        return stack

    return make


def run(stack: Stack) -> None:
    stack.web_server()
    stack.dispatcher()


async def status_of(http: aiohttp.ClientSession, method: str, url: str, **options: Any) -> tuple[int, Any]:
    async with http.request(method, url, **options) as answer:
        return answer.status, await answer.json()


async def becomes(http: aiohttp.ClientSession, method: str, url: str, status: int) -> Any:
    """Call until the answer has that status, and return its document."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found, document = await status_of(http, method, url)
            if found == status:
                return document
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


async def test_serves_the_apis_that_there_are_and_those_that_come(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    first, second = make_api(), make_api()
    shared.serve(first)
    shared.start()
    shared.is_ready()
    run(first)
    await becomes(http, "POST", first.url, 200)
    assert (await Client(first, http).completed(b'{"n": 1}'))["size"] == 8
    shared.serve(second, "elsewhere")
    run(second)
    await becomes(http, "POST", second.url, 200)
    request_id = await Client(second, http).submit(b"{}")
    await Client(second, http).ended(request_id)
    assert (await status_of(http, "GET", f"{first.url}/{request_id}"))[0] == 404  # it is no id of that API


async def test_an_api_that_is_gone_is_served_no_more_and_the_others_are(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    stays, goes = make_api(), make_api()
    shared.serve(stays)
    shared.serve(goes)
    shared.start()
    shared.is_ready()
    await becomes(http, "POST", goes.url, 200)
    shared.cluster.server.remove("configmaps", f"api-{goes.name}")
    document = await becomes(http, "POST", goes.url, 404)
    assert "no API is served here" in document["error"]["message"]
    await becomes(http, "POST", stays.url, 200)


async def test_a_changed_configuration_counts_at_once_and_counters_go_on(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_api()
    shared.serve(stack)
    shared.start()
    shared.is_ready()
    await becomes(http, "POST", stack.url, 200)
    stack.document["gateway"]["endpoint"] = "/moved"
    old = stack.url
    shared.serve(stack)
    await becomes(http, "POST", stack.url, 200)
    assert (await status_of(http, "POST", old))[0] == 404
    assert await submitted(http, shared, stack) == 2


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"name": "broken"}',
        json.dumps({**api_document(), "name": 7}),
        json.dumps({**api_document(), "new": 1}),
    ],
)
async def test_a_configmap_that_cannot_be_read_takes_nothing_down_but_itself(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession, text: str
) -> None:
    stack = make_api()
    shared.put(text, name="api-broken")
    shared.serve(stack)
    process = shared.start()
    shared.is_ready()
    await becomes(http, "POST", stack.url, 200)
    assert '"config_map": "api-broken"' in process.log
    found = await metrics_of(http, shared)
    assert 'cortex_async_gateway_refused_api{config_map="api-broken",namespace="default"} 1.0' in found
    assert 'cortex_async_gateway_apis{state="refused"} 1.0' in found
    assert 'cortex_async_gateway_apis{state="served"} 1.0' in found


async def test_a_path_belongs_to_the_api_that_was_there_first(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    first = make_api({"gateway": {"endpoint": "/wanted"}})
    second = make_api({"gateway": {"endpoint": "/wanted"}})
    shared.put(second.document, namespace="a", created="2026-01-02T00:00:00Z")
    shared.put(first.document, namespace="b", created="2026-01-01T00:00:00Z")
    process = shared.start()
    shared.is_ready()
    url = f"http://127.0.0.1:{shared.port}/wanted"
    await becomes(http, "POST", url, 200)
    assert await submitted(http, shared, first, "b") == 1
    assert "/wanted is served for b/" in process.log
    shared.cluster.server.remove("configmaps", f"api-{first.name}", "b")
    wait_until("the second to be served", lambda: first.queue_depth() and f'"api": "{second.name}"' in process.log)
    await becomes(http, "POST", url, 200)
    assert await submitted(http, shared, second, "a") >= 1


async def test_watching_goes_on_after_what_ends_it(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    server = shared.cluster.server
    stays, gone, comes, last = make_api(), make_api(), make_api(), make_api()
    shared.serve(stays)
    shared.serve(gone)
    process = shared.start()
    shared.is_ready()
    await becomes(http, "POST", gone.url, 200)
    server.forbidden.add("configmaps")  # and the watch ends: what is known is served on
    server.end_watches(forget=True)
    wait_until("the gateway to notice", lambda: "configmaps is forbidden" in process.log, process)
    server.remove("configmaps", f"api-{gone.name}")
    shared.serve(comes)
    assert (await status_of(http, "POST", gone.url))[0] == 200
    server.forbidden.clear()
    await becomes(http, "POST", gone.url, 404)
    await becomes(http, "POST", comes.url, 200)
    server.end_watches()
    shared.serve(last)
    await becomes(http, "POST", last.url, 200)
    assert (await status_of(http, "POST", stays.url))[0] == 200
    assert await submitted(http, shared, stays) == 1  # it was never opened anew


async def test_is_not_ready_until_it_knows_which_apis_there_are(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    shared.cluster.server.forbidden.add("configmaps")
    shared.start()
    wait_until("the gateway", lambda: readiness(shared.port)[0] == 503, shared.process)
    assert readiness(shared.port)[1]["waiting_for"] == ["Kubernetes to list the APIs"]
    shared.cluster.server.forbidden.clear()
    shared.is_ready()


async def test_whoever_it_is_ready_for_is_answered_at_once(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    """A gateway that replaces another takes its clients as soon as it is ready."""
    apis = [make_api() for _ in range(5)]
    for each in apis:
        shared.serve(each)
    shared.start()
    shared.is_ready()
    assert [(await status_of(http, "POST", each.url))[0] for each in apis] == [200] * 5


async def test_serves_the_apis_of_the_namespaces_that_it_is_given(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    ours, theirs = make_api(), make_api()
    shared.serve(ours, "ours")
    shared.serve(theirs, "theirs")
    shared.start("--namespace", "ours", "--namespace", "empty")
    shared.is_ready()
    await becomes(http, "POST", ours.url, 200)
    assert (await status_of(http, "POST", theirs.url))[0] == 404
    paths = {path for _, path in shared.cluster.server.calls}
    assert paths == {f"/api/v1/namespaces/{each}/configmaps" for each in ("ours", "empty")}


async def test_keda_reads_each_api_by_its_namespace_and_name(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    busy, idle = make_api(), make_api()
    shared.serve(busy, "apis")
    shared.serve(idle, "apis")
    shared.start()
    shared.is_ready()
    await becomes(http, "POST", busy.url, 200)
    await becomes(http, "GET", f"{idle.url}/unknown", 404)
    admin = f"http://127.0.0.1:{shared.admin_port}/scaling"
    assert (await becomes(http, "GET", f"{admin}/apis/{busy.name}", 200))["in_flight"] == 1
    assert (await becomes(http, "GET", f"{admin}/apis/{idle.name}", 200))["in_flight"] == 0
    status, document = await status_of(http, "GET", f"{admin.replace('scaling', 'requests')}/apis/{busy.name}")
    assert (status, len(document["ids"])) == (200, 1)
    status, document = await status_of(http, "GET", f"{admin}/default/{busy.name}")
    assert (status, document["error"]["code"]) == (404, "not_found")


async def test_an_api_whose_queue_is_missing_says_so_and_the_gateway_is_ready(
    shared: SharedGateway, make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_stack()  # nothing was provisioned
    shared.serve(stack)
    shared.start()
    shared.is_ready()
    document = await becomes(http, "POST", stack.url, 503)
    assert document["error"]["code"] == "unavailable"
    assert 'cortex_async_gateway_apis{state="waiting"} 1.0' in await metrics_of(http, shared)
    stack.provision()
    await becomes(http, "POST", stack.url, 200)


async def test_other_methods_and_paths_are_told_apart(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    outer = make_api({"gateway": {"endpoint": "/v1"}})
    inner = make_api({"gateway": {"endpoint": "/v1/inner"}})
    shared.serve(outer)
    shared.serve(inner)
    shared.start()
    shared.is_ready()
    await becomes(http, "POST", outer.url, 200)
    await becomes(http, "POST", inner.url, 200)
    async with http.delete(inner.url) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    async with http.put(outer.url) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    async with http.post(f"{inner.url}/some-id") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "DELETE,GET")
    for path in ("/", "/nothing", "/v1/", "/v1/inner/", "/v1/a/b"):
        assert (await status_of(http, "GET", f"http://127.0.0.1:{shared.port}{path}"))[0] in (404, 405), path
    status, document = await status_of(http, "GET", f"http://127.0.0.1:{shared.port}/openapi.json")
    assert status == 200
    assert "/{api}" in document["paths"]


async def test_all_that_a_gateway_of_one_api_answers_is_answered(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_api({"gateway": {"allowedOrigins": ["https://app.example.com"]}})
    shared.serve(stack)
    shared.start()
    shared.is_ready()
    run(stack)
    api = Client(stack, http)
    request_id = await api.submit(query="?answer=[1,2]")
    await api.ended(request_id)
    async with http.get(f"{stack.url}/{request_id}/result") as answer:
        assert (answer.status, await answer.json()) == (200, [1, 2])
    async with http.get(f"{stack.url}/{request_id}?stream=1") as answer:
        assert answer.content_type == "text/event-stream"
    held = await api.submit(query="?hold")
    async with http.delete(f"{stack.url}/{held}") as answer:
        assert answer.status in (200, 202)
    asks = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    async with http.options(stack.url, headers=asks) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


async def test_an_api_with_keys_is_not_opened_to_everybody(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    """Its Secret is mounted into a gateway of its own only."""
    guarded = make_api({"gateway": {"apiKeys": {"folder": "/etc/cortex-async-keys", "requestsPerSecond": None}}})
    shared.serve(guarded)
    process = shared.start()
    shared.is_ready()
    assert (await status_of(http, "POST", guarded.url))[0] == 404
    assert "gateway.apiKeys are in a Secret" in process.log


async def test_a_body_that_is_asked_about_beforehand_is_answered_like_by_a_gateway_of_one_api(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_api({"gateway": {"maxPayloadMiB": 1}})
    shared.serve(stack)
    shared.start()
    shared.is_ready()
    await becomes(http, "POST", stack.url, 200)
    status, document = await status_of(http, "POST", stack.url, data=b"{}", expect100=True)
    assert (status, "id" in document) == (200, True)
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.port)
    head = f"POST /{stack.name} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.port)
    writer.write(head.replace(stack.name, "nothing").encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    writer.close()


async def test_ends_with_what_it_has_in_hand_and_lets_waiters_go(
    shared: SharedGateway, make_api: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_api()
    shared.serve(stack)
    process = shared.start()
    shared.is_ready()
    await becomes(http, "POST", stack.url, 200)
    waiting = asyncio.create_task(status_of(http, "POST", stack.url, headers={"Prefer": "wait=60"}))
    async with asyncio.timeout(WAIT_SECONDS):
        while await submitted(http, shared, stack) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await asyncio.to_thread(process.stop) == 0
    status, document = await waiting
    assert (status, "id" in document) == (200, True)


async def metrics_of(http: aiohttp.ClientSession, shared: SharedGateway) -> str:
    async with http.get(f"http://127.0.0.1:{shared.admin_port}/metrics") as answer:
        return await answer.text()


async def submitted(
    http: aiohttp.ClientSession, shared: SharedGateway, stack: Stack, namespace: str = "default"
) -> float:
    text = await metrics_of(http, shared)
    labels = f'api_kind="AsyncAPI",api_name="{stack.name}",namespace="{namespace}"'
    found = [line for line in text.splitlines() if line.startswith(f"cortex_async_submitted_total{{{labels}}}")]
    return float(found[0].split()[-1]) if found else 0
