"""The operator's page of dead letters, as a browser without JavaScript uses it."""

import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from support.dead_letters import give_up, send
from support.kubernetes_api import ApiServer, Serving, serving
from support.operator_process import TOKEN, RunningOperator, add_api
from support.stack import Stack


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """An API of which nothing runs: only its queues and its bucket are there."""
    made = make_stack()
    made.provision()
    return made


@pytest.fixture
def cluster(stack: Stack, tmp_path: Path) -> Iterator[Serving]:
    with serving(ApiServer(), tmp_path) as running:
        add_api(running.server, stack.name)
        found = running.server.find("configmaps", f"api-{stack.name}")
        assert found is not None
        found["data"]["api.json"] = json.dumps(stack.document)
        yield running


@pytest.fixture
def operator(cluster: Serving, tmp_path: Path) -> Iterator[RunningOperator]:
    running = RunningOperator(cluster, tmp_path, {"deadLetters": True})
    yield running
    running.process.stop()


class Browser:
    """One who has signed in, unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, operator: RunningOperator, name: str) -> None:
        self._session = session
        self.page = f"{operator.url}/dashboard/{name}"
        self._sign_in = f"{operator.url}/dashboard/sign-in"
        self._csrf = ""

    async def see(self, path: str = "/dead-letters") -> tuple[int, str]:
        async with self._session.get(self.page + path) as answer:
            return answer.status, self._read(await answer.text())

    async def send(self, path: str, **fields: str) -> tuple[int, str]:
        url = self._sign_in if path == "sign-in" else f"{self.page}/dead-letters/{path}"
        async with self._session.post(url, data={"csrf": self._csrf, **fields}) as answer:
            return answer.status, self._read(await answer.text())

    def _read(self, text: str) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', text)
        self._csrf = found[1] if found else self._csrf
        return html.unescape(text)


@pytest_asyncio.fixture
async def browser(operator: RunningOperator, stack: Stack) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        made = Browser(session, operator, stack.name)
        assert (await made.see())[0] == 403  # nobody is signed in
        assert (await made.send("sign-in", token=TOKEN))[0] == 200
        yield made


async def test_they_are_listed_and_one_is_sent_again(stack: Stack, browser: Browser) -> None:
    first, second = give_up(stack), give_up(stack)
    send(stack, "not ours")
    status, seen = await browser.see()
    assert status == 200
    assert set(re.findall(r"<code>([0-9a-f-]{36})</code>", seen)) == {first, second}
    assert "not of this API" in seen
    assert "secret" not in seen  # the payload
    assert 'href="/dashboard' in (await browser.see(""))[1]
    status, seen = await browser.send("redrive", id=first)
    assert (status, first in seen, second in seen) == (200, False, True)
    assert (stack.queue_depth(), stack.dead_letters()) == ((1, 0), 2)
    assert f"{first}/result" not in stack.objects()


async def test_all_are_sent_again_by_a_tick(stack: Stack, browser: Browser) -> None:
    for _ in range(2):
        give_up(stack)
    await browser.see()
    status, said = await browser.send("redrive")
    assert (status, "tick the box" in said, stack.dead_letters()) == (400, True, 2)
    assert "There are none." in (await browser.send("redrive", confirmed="yes"))[1]
    assert (stack.queue_depth(), stack.dead_letters()) == ((2, 0), 0)


async def test_all_are_thrown_away_by_the_name_of_the_api(stack: Stack, browser: Browser) -> None:
    give_up(stack)
    await browser.see()
    for wrong in ("", "yes"):
        status, said = await browser.send("purge", confirmed=wrong)
        assert (status, "nothing was done" in said, stack.dead_letters()) == (400, True, 1)
    assert (await browser.send("purge", csrf="forged", confirmed=stack.name))[0] == 403
    assert stack.dead_letters() == 1
    assert "There are none." in (await browser.send("purge", confirmed=stack.name))[1]
    assert (stack.queue_depth(), stack.dead_letters()) == ((0, 0), 0)


async def test_a_queue_that_is_missing_is_told(cluster: Serving, stack: Stack, browser: Browser) -> None:
    found = cluster.server.find("configmaps", f"api-{stack.name}")
    assert found is not None
    stack.document["queue"]["deadLetterName"] = "nowhere"
    found["data"]["api.json"] = json.dumps(stack.document)
    status, said = await browser.see()
    assert (status, "AWS does not let the operator at the dead letters" in said) == (502, True)


async def test_there_is_no_page_unless_it_is_asked_for(cluster: Serving, tmp_path: Path, stack: Stack) -> None:
    operator = RunningOperator(cluster, tmp_path)
    url = f"{operator.url}/dashboard/{stack.name}/dead-letters"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 404
    operator.process.stop()
