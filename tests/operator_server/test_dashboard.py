"""The pages, as a browser without JavaScript uses them."""

import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest_asyncio
from aiohttp import web

from operator_server.conftest import MakeOperator
from support.coming_gateway import ComingGateway, gateway_running
from support.kubernetes_api import Serving
from support.operator_process import TOKEN, RunningOperator, add_api
from support.processes import free_port


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def _page(browser: aiohttp.ClientSession, url: str) -> str:
    async with browser.get(url) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/html"
        return await answer.text()


async def _send(browser: aiohttp.ClientSession, url: str, seen: str, **fields: str) -> tuple[int, str, str]:
    """Send a form of a page that was seen; return status, page and where one is then."""
    found = re.search(r'name="csrf" value="([^"]+)"', seen)
    assert found
    async with browser.post(url, data={"csrf": found[1], **fields}) as answer:
        return answer.status, html.unescape(await answer.text()), answer.url.path


async def test_a_page_lists_the_apis_and_refreshes_itself(
    cluster: Serving, operator: RunningOperator, browser: aiohttp.ClientSession
) -> None:
    assert "No APIs are deployed" in await _page(browser, f"{operator.url}/dashboard")
    add_api(cluster.server, "hello", replicas=2)
    seen = await _page(browser, f"{operator.url}/dashboard")
    assert '<a href="/dashboard/hello">hello</a>' in seen
    assert "2/2" in seen
    assert '<meta http-equiv="refresh"' in seen
    assert "<script" not in seen
    one = await _page(browser, f"{operator.url}/dashboard/hello")
    assert "2 of 2 replicas ready" in one
    assert "hello-1" in one


async def test_what_an_api_is_called_cannot_become_markup(
    cluster: Serving, operator: RunningOperator, browser: aiohttp.ClientSession
) -> None:
    add_api(cluster.server, "hello", values={"name": "</pre><script>alert(1)</script>"})
    seen = await _page(browser, f"{operator.url}/dashboard/hello")
    assert "alert(1)" in seen
    assert "<script" not in seen
    async with browser.get(f"{operator.url}/dashboard/%3Cscript%3E") as answer:
        assert answer.status == 400
        assert "<script" not in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_restart_takes_a_token_and_a_tick(
    cluster: Serving, operator: RunningOperator, browser: aiohttp.ClientSession
) -> None:
    add_api(cluster.server, "hello")
    page = f"{operator.url}/dashboard/hello"
    seen = await _page(browser, page)
    status, said, _ = await _send(browser, f"{page}/refresh", seen, confirmed="yes")
    assert (status, "needs a token" in said) == (403, True)
    assert (await _send(browser, f"{operator.url}/dashboard/sign-in", seen, token="guess"))[0] == 403
    assert (await _send(browser, f"{operator.url}/dashboard/sign-in", seen, token=TOKEN))[0] == 200
    before = {key[3] for key in cluster.server.objects if key[1] == "pods"}
    status, said, _ = await _send(browser, f"{page}/refresh", seen)
    assert (status, "tick the box" in said) == (400, True)
    assert {key[3] for key in cluster.server.objects if key[1] == "pods"} == before
    assert (await _send(browser, f"{page}/refresh", seen, confirmed="yes"))[::2] == (200, "/dashboard/hello")
    assert {key[3] for key in cluster.server.objects if key[1] == "pods"} != before
    await _send(browser, f"{operator.url}/dashboard/sign-in", seen, token="")
    assert (await _send(browser, f"{page}/refresh", seen, confirmed="yes"))[0] == 403


async def test_a_form_of_another_site_does_nothing(
    cluster: Serving, operator: RunningOperator, browser: aiohttp.ClientSession
) -> None:
    add_api(cluster.server, "hello")
    seen = await _page(browser, f"{operator.url}/dashboard")
    await _send(browser, f"{operator.url}/dashboard/sign-in", seen, token=TOKEN)
    before = {key[3] for key in cluster.server.objects if key[1] == "pods"}
    for forged in ({"confirmed": "yes"}, {"confirmed": "yes", "csrf": "guess"}):
        async with browser.post(f"{operator.url}/dashboard/hello/refresh", data=forged) as answer:
            assert answer.status == 403
    assert {key[3] for key in cluster.server.objects if key[1] == "pods"} == before
    for cookie in browser.cookie_jar:
        assert cookie["samesite"] == "Strict"
        assert cookie["httponly"]


async def test_a_request_is_submitted_and_followed(
    cluster: Serving, make_operator: MakeOperator, browser: aiohttp.ClientSession
) -> None:
    add_api(cluster.server, "hello")
    gateway = ComingGateway()
    gateway.ends_at_once = False
    with gateway_running(gateway) as url:
        operator = make_operator(endpointUrl=url)
        seen = await _page(browser, f"{operator.url}/dashboard/hello")
        await _send(browser, f"{operator.url}/dashboard/sign-in", seen, token=TOKEN)
        page = f"{operator.url}/dashboard/hello"
        status, said, path = await _send(
            browser, f"{page}/submit", seen, payload='{"n": 1}', content_type="application/json"
        )
        assert (status, path) == (200, "/dashboard/hello/requests/request-0")
        assert "in queue" in said
        assert '<meta http-equiv="refresh"' in said
        assert gateway.submitted[0][1] == b'{"n": 1}'
        gateway.documents["request-0"] = {"id": "request-0", "status": "completed", "result": {"n": 2}}
        said = html.unescape(await _page(browser, operator.url + path))
        assert '"n": 2' in said
        assert '<meta http-equiv="refresh"' not in said


async def test_the_pages_tell_what_the_pods_measure_and_the_requests_that_came_last(
    cluster: Serving, make_operator: MakeOperator, browser: aiohttp.ClientSession
) -> None:
    add_api(cluster.server, "hello")
    gateway = ComingGateway()
    gateway.documents["0-older"] = {"id": "0-older", "status": "failed", "attempts": 3, "error": {"code": "x"}}
    gateway.documents["1-newer"] = {"id": "1-newer", "status": "completed", "result": "secret", "attempts": 1}
    labels = 'api_name="hello",api_kind="AsyncAPI"'
    lines = [
        f"cortex_async_queued{{{labels}}} 1234.0",
        f"cortex_async_in_flight{{{labels}}} 1237.0",
        f"cortex_async_backlog_seconds{{{labels}}} 90.0",
        f'cortex_async_results_total{{{labels},status="completed",code=""}} 41.0',
        f'cortex_async_results_total{{{labels},status="failed",code="rejected"}} 2.0',
        f"cortex_async_dead_letters_total{{{labels}}} 7.0",
    ]
    ids = {"ids": ["0-older", "1-newer", "<script>"]}
    async with pod_answering({"/metrics": "\n".join(lines) + "\n", "/requests": json.dumps(ids)}) as port:
        add_pod(cluster, "hello", "gateway", port)
        with gateway_running(gateway) as url:
            operator = make_operator(endpointUrl=url)
            listed = await _page(browser, f"{operator.url}/dashboard")
            assert [text for text in ("1,234", "1,237", "1 min 30 s") if text not in listed] == []
            seen = await _page(browser, f"{operator.url}/dashboard/hello")
            assert "1-newer" not in seen
            await _send(browser, f"{operator.url}/dashboard/sign-in", seen, token=TOKEN)
            seen = await _page(browser, f"{operator.url}/dashboard/hello?refresh")
    rows = re.findall(r"<td>([^<]*)</td><td class=\"number\">([^<]*)</td>", seen)
    found = {name: re.sub(r" \(.*", "", value) for name, value in rows}
    assert found["Completed, by the pods that run"] == "41"
    assert found["Failed, by the pods that run"] == "2"
    assert found["Dead letters, by the pods that run"] == "7"
    assert re.findall(r"<code>([^<]+)</code></a>", seen) == ["1-newer", "0-older"]
    assert re.findall(r'class="request_(\w+)"', seen) == ["completed", "failed"]
    assert "secret" not in seen
    assert '<meta http-equiv="refresh" content="10">' in seen


async def test_a_pod_that_says_nothing_leaves_a_page_without_its_numbers(
    cluster: Serving, operator: RunningOperator, browser: aiohttp.ClientSession
) -> None:
    add_api(cluster.server, "hello")
    add_pod(cluster, "hello", "gateway", free_port())
    async with pod_answering({"/metrics": "}{ no metrics"}) as port:
        add_pod(cluster, "hello", "other", port)
        assert '<td class="number">\N{EN DASH}</td>' in await _page(browser, f"{operator.url}/dashboard")


@asynccontextmanager
async def pod_answering(texts: Mapping[str, str]) -> AsyncIterator[int]:
    """Serve the admin port of a pod."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=texts[request.path]) if request.path in texts else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield port
    await runner.cleanup()


def add_pod(cluster: Serving, api: str, component: str, admin_port: int) -> None:
    labels = {"apiName": api, "cortex.dev/api": "true", "app.kubernetes.io/component": component}
    container = {"name": component, "ports": [{"name": "admin", "containerPort": admin_port}]}
    document = {
        "metadata": {"name": f"{api}-{component}", "labels": labels},
        "spec": {"containers": [container]},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }
    cluster.server.add("v1", "pods", document)
