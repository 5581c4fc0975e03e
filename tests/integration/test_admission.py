"""Who may call, how often, and how much may wait: API keys, the limit of the queue, and CORS."""

import asyncio
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import cortex.request
from support.processes import wait_until
from support.stack import Client, Stack

MakeStack = Callable[..., Stack]
KEY, OTHER = "a-key-of-the-first-team", "a-key-of-the-other-team"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "first").write_text(f"{KEY}\n")
    (folder / "short").write_text("too-short")
    return folder


def guarded(make_stack: MakeStack, keys: Path, rate: float | None = None) -> Stack:
    stack = make_stack({"gateway": {"apiKeys": {"folder": str(keys), "requestsPerSecond": rate}}})
    stack.all()
    return stack


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def status_of(
    http: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str]
) -> tuple[int, str]:
    async with http.request(method, url, headers=headers) as response:
        document = await response.json()
        if response.status == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
        return response.status, document.get("error", {}).get("code", "")


async def test_every_call_needs_a_key(make_stack: MakeStack, http: aiohttp.ClientSession, keys: Path) -> None:
    stack = guarded(make_stack, keys)
    api = Client(stack, http)
    for headers in ({}, bearer("another-key-of-some-length"), bearer("too-short"), {"Authorization": KEY}):
        for method, path in (("POST", ""), ("GET", "/x"), ("DELETE", "/x"), ("GET", "/x/y")):
            assert await status_of(http, method, stack.url + path, headers) == (401, "unauthorized")
    assert await status_of(http, "GET", f"{stack.url}/x", bearer(KEY)) == (404, "unknown_id")
    request_id = await api.submit(headers=bearer(KEY))
    http.headers.update(bearer(KEY))
    result = (await api.ended(request_id))["result"]
    assert "authorization" not in {name.lower() for name, _ in result["headers"]}
    async with (
        aiohttp.ClientSession() as stranger,
        stranger.get(f"http://127.0.0.1:{stack.gateway_port}/openapi.json") as response,
    ):
        assert response.status == 200


async def test_keys_are_added_and_taken_away_while_the_gateway_runs(
    make_stack: MakeStack, http: aiohttp.ClientSession, keys: Path
) -> None:
    stack = guarded(make_stack, keys)
    async with http.get(f"{stack.url}/x", headers=bearer(KEY)) as response:
        assert response.status == 404
    (keys / "first").unlink()
    (keys / "other").write_text(OTHER)

    def code(key: str) -> int:
        call = urllib.request.Request(f"{stack.url}/x", headers=bearer(key))
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(call)
        refusal.value.close()
        return refusal.value.code

    wait_until("the new key to count", lambda: code(OTHER) == 404)
    assert code(KEY) == 401


async def test_each_key_has_a_rate_of_its_own(
    make_stack: MakeStack, http: aiohttp.ClientSession, keys: Path
) -> None:
    (keys / "other").write_text(OTHER)
    stack = guarded(make_stack, keys, rate=0.01)
    url = f"{stack.url}/x"
    assert await status_of(http, "GET", url, bearer(KEY)) == (404, "unknown_id")
    async with http.get(url, headers=bearer(KEY)) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (429, "rate_limited")
        assert 1 <= int(response.headers["Retry-After"]) <= 100
    assert await status_of(http, "GET", url, bearer(OTHER)) == (404, "unknown_id")


async def test_the_smoke_test_and_the_client_have_a_key(
    make_stack: MakeStack, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = guarded(make_stack, keys)
    monkeypatch.setenv("CORTEX_API_KEY", KEY)
    request = await asyncio.to_thread(cortex.request.submit, stack.url, {})
    assert (await asyncio.to_thread(request.result, 60))["size"] == 2
    argv = [sys.executable, "-m", "cortex_async", "smoke", "--url", stack.url, "--api-keys", str(keys)]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_submissions_are_refused_while_the_queue_is_full(
    make_stack: MakeStack, http: aiohttp.ClientSession
) -> None:
    stack = make_stack({"gateway": {"maxQueued": 3}})
    stack.provision()
    stack.gateway()

    async def submitted() -> tuple[int, dict[str, Any], str]:
        async with http.post(stack.url) as response:
            return response.status, await response.json(), response.headers.get("Retry-After", "")

    answers = [await submitted() for _ in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    _, document, again = answers[-1]
    assert (document["error"]["code"], again) == ("queue_full", "10")
    assert stack.queue_depth() == (3, 0)
    stack.web_server()
    stack.dispatcher()
    wait_until("an empty queue", lambda: stack.queue_depth() == (0, 0))


async def test_pages_of_the_allowed_origins_may_call(make_stack: MakeStack, http: aiohttp.ClientSession) -> None:
    stack = make_stack({"gateway": {"allowedOrigins": ["https://app.example.com"]}})
    stack.all()
    ours, other = {"Origin": "https://app.example.com"}, {"Origin": "https://evil.example.com"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-a"}
    async with http.options(stack.url, headers=ours | asked) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Access-Control-Allow-Headers"] == "content-type,x-a"
    for path in ("", "/x", "/x/y"):
        for headers, allowed in ((ours, "https://app.example.com"), (other, None)):
            async with http.get(stack.url + path, headers=headers) as response:
                assert response.headers.get("Access-Control-Allow-Origin") == allowed
                assert response.headers["Vary"] == "Origin"


async def test_without_them_nothing_of_it_is_there(api: Client) -> None:
    async with api.http.options(api.stack.url, headers={"Origin": "https://app.example.com"}) as response:
        assert response.status == 405
        assert "Access-Control-Allow-Origin" not in response.headers
