"""One request at a time: how soon it reaches the container, and what a very large one takes of memory."""

import asyncio
import http.client
import io
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.client import LoadClient
from bench.processes import BenchStack, Endpoint
from bench.usage import memory_mb

_MIB = 2**20
_BUCKET = "cortex-bench"
_PATIENCE_SECONDS = 120.0


async def delays_ms(stack: BenchStack, count: int) -> list[float]:
    """Submit requests to an idle API one by one; return how long each took to reach the container, in ms."""
    delays = []
    async with LoadClient(stack, 1) as client:
        submit = client.post(b'{"text": "a request on its own"}')
        for _ in range(count):
            await asyncio.sleep(random.uniform(0.005, 0.025))
            began = time.monotonic_ns()
            request_id = (await client.one(submit))["id"]
            document = await _ended(client, request_id)
            delays.append((document["result"]["received"] - began) / 1e6)
    return delays


async def _ended(client: LoadClient, request_id: str) -> dict[str, Any]:
    end = time.monotonic() + _PATIENCE_SECONDS
    while (document := await client.one(client.get(request_id)))["status"] != "completed":
        assert time.monotonic() < end, document
        await asyncio.sleep(0.01)
    return document


@dataclass(frozen=True, slots=True)
class Large:
    """One large payload: the most memory of each process in MB, and the seconds of the submit."""

    gateway_memory: float
    dispatcher_memory: float
    submit_seconds: float


async def large_payload(stack: BenchStack, mebibytes: int) -> Large:
    """Send one payload of that size through a gateway and a dispatcher."""
    stack.provision()
    stack.web_server()
    gateway, dispatcher = stack.gateway(), stack.dispatcher()
    body, submit_seconds = await asyncio.to_thread(_submit, stack, mebibytes)
    request_id = json.loads(body)["id"]
    async with LoadClient(stack, 1) as client:
        document = await _ended(client, request_id)
    assert document["result"]["size"] == mebibytes * _MIB
    memory = memory_mb(gateway.pid, peak=True), memory_mb(dispatcher.pid, peak=True)
    return Large(*memory, submit_seconds)


def upload_seconds(endpoint: Endpoint, mebibytes: int) -> float:
    """Upload as many bytes to S3 itself by boto3; return how many seconds it took."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=_BUCKET)
    body = io.BytesIO(random.randbytes(_MIB) * mebibytes)
    began = time.perf_counter()
    s3.upload_fileobj(body, _BUCKET, "upload")
    seconds = time.perf_counter() - began
    s3.delete_object(Bucket=_BUCKET, Key="upload")
    return seconds


def _submit(stack: BenchStack, mebibytes: int) -> tuple[bytes, float]:
    """Submit one payload; return the answer, and how many seconds it took."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.gateway_port, timeout=_PATIENCE_SECONDS)
    headers = {"Content-Length": str(mebibytes * _MIB), "Content-Type": "application/octet-stream"}
    began = time.perf_counter()
    connection.request("POST", f"/{stack.name}", _pieces(mebibytes), headers)
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - began
    connection.close()
    assert response.status == 200, body
    return body, seconds


def _pieces(mebibytes: int) -> Iterator[bytes]:
    piece = random.randbytes(_MIB)
    for _ in range(mebibytes):
        yield piece
