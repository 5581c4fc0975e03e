"""The pages, as a browser without JavaScript uses them."""

import html
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from operator_server.conftest import MakeOperator
from support.coming_gateway import ComingGateway, gateway_running
from support.kubernetes_api import Serving
from support.operator_process import TOKEN, RunningOperator, add_api


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
