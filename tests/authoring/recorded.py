"""Record every AWS call of the real gateway, dispatcher, provision and dead-letters."""

import asyncio
import copy
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from authoring.recorder import Recorder
from cortex_async import config
from cortex_async.provision.command import delete, provision
from cortex_async.queue.message import Message
from cortex_async.request_id import RequestIds
from cortex_async_tools import cli
from support.stack import Client, Stack

CHANGES = {
    "queue": {"inlineLimitBytes": 1024, "maxAttempts": 2, "visibilityTimeoutSeconds": 10},
    "storage": {"payloadReferences": ["s3://others-data/images/"]},
    "gateway": {"maxPayloadMiB": 6, "uploads": True, "list": True},
    "pod": {"maxConcurrency": 10},
}
_LARGE = 5_500_000  # more than one part of a multipart upload


async def record(stack: Stack, recorders: Mapping[str, Recorder]) -> None:
    """Do everything that leads to another kind of AWS call."""
    _provision(stack, recorders["provision"])
    runner = await _serve(stack.port)
    async with aiohttp.ClientSession() as http:
        client = Client(stack, http)
        stack.config_file.write_text(json.dumps(_through(stack, recorders["gateway"])))
        gateway = stack.command("gateway")
        stack.document = _through(stack, recorders["dispatcher"])
        dispatcher = stack.dispatcher(wait=False)
        await asyncio.to_thread(stack.wait_ready, stack.gateway_port, gateway)
        await asyncio.to_thread(stack.wait_ready, stack.admin_port, dispatcher)
        async with http.get(f"http://127.0.0.1:{stack.gateway_admin_port}/scaling") as response:
            assert response.status == 200
        await asyncio.gather(
            client.completed(b"small"),
            client.completed(b"large", query="?fill"),
            client.completed(b"x" * _LARGE),
            client.completed(query="?sleep"),
            client.ended(await client.submit(query="?broken")),
            _repeated(client),
            _cancelled(client),
            _waited(client),
            _uploaded(client),
            _referenced(client),
            _too_large(http, stack.url),
            client.ended(await client.submit(query="?die")),
            _redrive(client, recorders["dead-letters"]),
        )
        await asyncio.to_thread(delete, config.parse(_through(stack, recorders["provision"])))
        async with http.post(stack.url, data=b"x" * 2000) as response:  # the payload is stored, then refused
            assert response.status >= 500
    await runner.cleanup()


async def _repeated(client: Client) -> None:
    """Claims a key, finds it claimed, begins, and finds at the second attempt that it has begun."""
    for payload in (b"once", b"x" * 2000):
        headers = {"Idempotency-Key": f"{len(payload)}"}
        await client.ended(await client.submit(payload, headers, "?die"))
        await client.submit(payload, headers, "?die")


async def _cancelled(client: Client) -> None:
    """Cancels a request, which the dispatcher finds out about, and one that has ended."""
    request_id = await client.submit()
    await client.ended(request_id)
    for each, status in ((request_id, 409), (await client.submit(query="?sleep=5"), 202)):
        async with client.http.delete(f"{client.stack.url}/{each}") as response:
            assert response.status in (202, status)


async def _uploaded(client: Client) -> None:
    """Submits what was uploaded to S3."""
    url = client.stack.url
    async with client.http.post(f"{url}/uploads", json={"size": 3}) as response:
        upload = await response.json()
    async with client.http.put(upload["upload_url"], data=b"abc") as response:
        assert response.status < 300
    await client.ended(await client.submit(headers={"X-Cortex-Upload-ID": upload["id"]}))
    async with client.http.get(url) as response:
        assert response.status == 200


async def _referenced(client: Client) -> None:
    """Submits an object of another bucket."""
    s3 = client.stack.emulator.client("s3")
    place = {"LocationConstraint": client.stack.emulator.region}
    s3.create_bucket(Bucket="others-data", CreateBucketConfiguration=place)
    s3.put_object(Bucket="others-data", Key="images/a", Body=b"abc")
    await client.ended(await client.submit(headers={"X-Cortex-Payload-Ref": "s3://others-data/images/a"}))


async def _waited(client: Client) -> None:
    """Has been in the queue for long, so that it may have been cancelled."""
    stack = client.stack
    request_id = RequestIds("test", stack.name).issue(time.time() - 60)
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=Message(request_id, (), "", b"", 0).encode())
    await client.ended(request_id)


def _through(stack: Stack, recorder: Recorder) -> dict[str, Any]:
    document = copy.deepcopy(stack.document)
    document["aws"]["endpointUrl"] = recorder.url
    return document


def _provision(stack: Stack, recorder: Recorder) -> None:
    """Provision twice: create everything, then repair what was changed."""
    document = _through(stack, recorder)
    provision(config.parse(document))
    sqs = stack.emulator.client("sqs")
    for name in (document["queue"]["name"], document["queue"]["deadLetterName"]):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.untag_queue(QueueUrl=url, TagKeys=["apiName"])
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    provision(config.parse(document))


async def _serve(port: int) -> web.AppRunner:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if "die" in request.query and request.transport is not None:
            request.transport.abort()
        await asyncio.sleep(0.6 if "sleep" in request.query else 0)
        size = _LARGE if {"fill", "broken"} & request.query.keys() else 1
        body = b'"' + b"x" * size + (b"" if "broken" in request.query else b'"')
        return web.Response(body=body, content_type="application/json")

    app = web.Application(client_max_size=2**30)
    app.router.add_post("/", answer)
    app.router.add_get("/healthz", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def _too_large(http: aiohttp.ClientSession, url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"x" * 1_000_000

    async with http.post(url, data=pieces()) as response:
        assert response.status == 413


async def _redrive(client: Client, recorder: Recorder) -> None:
    """Redrive dead letters: of a completed request, of one without a result, and one that is not ours."""
    stack = client.stack
    completed = await client.submit()
    await client.ended(completed)
    lost = RequestIds("test", stack.name).issue()
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.document["queue"]["deadLetterName"])["QueueUrl"]
    for body in ("not ours", *(Message(each, (), "", b"", 0).encode() for each in (completed, lost))):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    file = stack.folder / "dead-letters.json"
    file.write_text(json.dumps(_through(stack, recorder)))
    for words in (["redrive"], ["purge", "--yes"]):
        assert await asyncio.to_thread(cli.main, ["dead-letters", *words, "--config", str(file)]) == 0
