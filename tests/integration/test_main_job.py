"""The main job: a request goes in by HTTP, reaches the container unchanged, and its result comes back exactly."""

import hashlib
import json
import os
import socket
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from support.stack import Client

BODIES = {
    "json": (b'{"text": "caf\xc3\xa9", "n": 12345678901234567890}', "application/json"),
    "text": ("grüße\n\x00\t\ufffe".encode(), "text/plain; charset=utf-8"),
    "empty": (b"", "application/octet-stream"),
    "binary of 1 KB": (os.urandom(1000), "image/png"),
    "binary of 300 KB": (os.urandom(300_000), "application/octet-stream"),
    "binary of 50 MB": (os.urandom(50_000_000), "application/x-tar"),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_payload_reaches_the_container_byte_for_byte(api: Client, kind: str) -> None:
    body, content_type = BODIES[kind]
    request_id = await api.submit(body, {"Content-Type": content_type, "X-Custom": "kept"}, "?a=b%20c&d=%2f")
    result = (await api.ended(request_id))["result"]
    headers = {name.lower(): value for name, value in result["headers"]}
    assert result["size"] == len(body)
    assert result["sha256"] == hashlib.sha256(body).hexdigest()
    assert headers["content-type"] == content_type
    assert headers["content-length"] == str(len(body))
    assert headers["x-cortex-request-id"] == request_id
    assert headers["x-custom"] == "kept"
    assert result["path"] == "/"
    assert result["query"] == "a=b%20c&d=%2f"


async def test_payload_of_unknown_length_reaches_the_container(api: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"0123456789" * 10_000

    result = await api.completed(pieces())
    assert result["size"] == 100 * 100_000
    assert result["sha256"] == hashlib.sha256(b"0123456789" * 1_000_000).hexdigest()


RESULTS = [
    '{"a": {"b": [1, 2.50, -0.0, 1e400, "\\u00e9"]}}',
    '[1, [2, [3]], {"x": null}]',
    "12345678901234567890",
    "3.141592653589793238462643383279",
    '"text"',
    "null",
    "true",
    ' {"spaces" :\n1 } ',
    '{"same": 1, "same": 2}',
]


@pytest.mark.parametrize("result", RESULTS)
async def test_json_result_of_any_kind_comes_back_exactly(api: Client, result: str) -> None:
    request_id = await api.submit(query=f"?answer={quote(result)}")
    await api.ended(request_id)
    async with api.http.get(f"{api.stack.url}/{request_id}") as response:
        text = await response.text()
    assert response.headers["Content-Type"].startswith("application/json")
    assert text.endswith(f'"result": {result}}}')
    assert json.loads(text)["status"] == "completed"


async def test_large_result_comes_back_whole(api: Client) -> None:
    assert await api.completed(query="?fill=30000000") == "x" * 30_000_000


async def test_nothing_is_left_but_the_result(own_api: Client) -> None:
    request_id = await own_api.submit(os.urandom(300_000))
    await own_api.ended(request_id)
    assert own_api.stack.latest("dispatcher").stop() == 0
    assert own_api.stack.objects() == [f"{request_id}/result"]
    assert own_api.stack.queue_depth() == (0, 0)
    assert own_api.stack.dead_letters() == 0


async def test_gateway_and_dispatcher_listen_on_ipv6_too(api: Client) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    for port in (api.stack.gateway_port, api.stack.admin_port):
        async with api.http.get(f"http://[::1]:{port}/readyz") as response:
            assert (response.status, (await response.json())["ready"]) == (200, True)
