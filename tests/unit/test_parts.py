"""Uploads that share memory: none loses a byte or waits for ever, and a slow one holds up no other."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest

from cortex_async.aws.s3 import PART_BYTES, S3
from cortex_async.config import parse
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from cortex_async.queue.queue import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage import parts
from cortex_async.storage.parts import NoRoom, Part, Room
from cortex_async.storage.store import Store
from support.api_document import api_document
from support.processes import free_port

ID = RequestIds("c", "api").issue()


class RecordingBucket:
    """Stands for S3, and for an upload to it: keeps what it was sent, call by call."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.calls: list[str] = []

    async def put(self, key: str, body: memoryview, *_: object, **__: object) -> None:
        self.calls.append("put")
        self.sent.append(bytes(body))

    async def begin_upload(self, *_: object) -> "RecordingBucket":
        self.calls.append("begin")
        return self

    async def add(self, part: memoryview, patience: float | None) -> None:
        self.calls.append("add")
        await asyncio.sleep(0.01)
        self.sent.append(bytes(part))

    async def complete(self, *_: object, **__: object) -> None:
        self.calls.append("complete")


def room_of(monkeypatch: pytest.MonkeyPatch, shared_bytes: int, places: int = 1) -> Room:
    monkeypatch.setattr(parts, "SHARED_BYTES", shared_bytes)
    monkeypatch.setattr(parts, "PLACES", places)
    return Room()


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("size", "calls"),
    [
        (0, ["put"]),
        (1, ["put"]),
        (PART_BYTES, ["put"]),
        (PART_BYTES + 1, ["begin", "add", "add", "complete"]),
        (2 * PART_BYTES, ["begin", "add", "add", "complete"]),
        (2 * PART_BYTES + 7, ["begin", "add", "add", "add", "complete"]),
    ],
)
@pytest.mark.parametrize("piece", [300_007, 12_000_000])
async def test_object_is_sent_whole_in_as_few_parts_as_may_be(size: int, calls: list[str], piece: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    s3 = RecordingBucket()
    stored = await Store(cast(S3, s3), "prefix", "api").put_payload(ID, in_pieces(data, piece), 10)
    assert (stored, s3.calls, b"".join(s3.sent) == data) == (size, calls, True)


async def test_many_uploads_at_once_all_end_though_one_place_is_all_that_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room_of(monkeypatch, shared_bytes=1_000_000)
    s3 = RecordingBucket()
    store = Store(cast(S3, s3), "prefix", "api")
    data = bytes(PART_BYTES + 400_000)
    sizes = await asyncio.gather(*[store.put_payload(ID, in_pieces(data, 200_000), None) for _ in range(10)])
    assert sizes == [len(data)] * 10
    assert s3.calls.count("complete") == 10


async def waiting(part: Part) -> "asyncio.Task[bytes]":
    task = asyncio.create_task(part.add(b"x"))
    await asyncio.sleep(0.01)
    assert not task.done()
    return task


@pytest.mark.parametrize("shared_bytes", [0, 2], ids=["in a place", "in shared memory"])
async def test_slow_part_makes_room_for_one_that_waits(monkeypatch: pytest.MonkeyPatch, shared_bytes: int) -> None:
    monkeypatch.setattr(parts, "FILL_SECONDS", 0.0)
    room = room_of(monkeypatch, shared_bytes, places=not shared_bytes)
    with Part(room, may_be_refused=True) as quick:
        with Part(room, may_be_refused=True) as slow:
            await slow.add(b"x")
            await slow.add(b"x")  # nobody waits
            task = await waiting(quick)
            with pytest.raises(NoRoom):
                await slow.add(b"x")
        await task
        assert bytes(quick.body) == b"x"


async def test_payload_without_room_is_refused_but_a_result_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(parts, "RESULT_WAIT_SECONDS", 0.05)
    room = room_of(monkeypatch, shared_bytes=0)
    with Part(room, may_be_refused=True) as holder:
        await holder.add(b"x")
        with Part(room, may_be_refused=False) as result, Part(room, may_be_refused=True) as payload:
            with pytest.raises(NoRoom):
                await payload.add(b"x")
            async with asyncio.timeout(30):
                await result.add(b"x")
            assert (bytes(result.body), bytes(payload.body)) == (b"x", b"")
        task = await waiting(payload)  # the place that there is not has been given back
        task.cancel()
        await asyncio.wait({task})


async def test_who_leaves_the_line_lets_a_smaller_one_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    room = room_of(monkeypatch, shared_bytes=10, places=0)
    with (
        Part(room, may_be_refused=False) as holder,
        Part(room, may_be_refused=False) as large,
        Part(room, may_be_refused=False) as small,
    ):
        await holder.add(b"x" * 9)
        task = asyncio.create_task(large.add(b"x" * 5))
        await asyncio.sleep(0.01)
        behind = asyncio.create_task(small.add(b"x"))
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(5):
            await behind
        await asyncio.wait({task})


async def test_room_is_whole_again_after_parts_that_were_cancelled_in_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = room_of(monkeypatch, shared_bytes=10)
    with Part(room, may_be_refused=False) as last:
        with Part(room, may_be_refused=False) as first, Part(room, may_be_refused=False) as second:
            await first.add(b"x" * 11)
            await second.add(b"x" * 10)
            task = await waiting(last)
            task.cancel()
            await asyncio.wait({task})
        await last.add(b"x" * 10)
        with Part(room, may_be_refused=False) as placed:
            await placed.add(b"x" * 11)


async def test_submission_without_room_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_room(*_: object) -> int:
        raise NoRoom("too many large payloads are coming at once")

    monkeypatch.setattr(Store, "put_payload", no_room)
    config = parse(api_document({"name": "api", "gateway": {"endpoint": "/api"}}))
    gateway = Gateway(config, Store(cast(S3, None), "prefix", "api"), 60)
    gateway.queue = cast(Queue, object())
    port = free_port()
    async with (
        listening(gateway.application(), port),
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{port}/api", data=b"x" * 400_000) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        error = (await response.json())["error"]
    assert error["code"] == "busy"
    assert "nothing was accepted" in error["message"]
