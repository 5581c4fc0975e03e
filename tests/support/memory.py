"""A queue and a store in memory, behind the real ones' protocols; a test can hold up or fail each operation."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cortex_async.errors import ObjectExists, ObjectMissing
from cortex_async.payload_reference import PayloadReference
from cortex_async.queue.protocol import AT_ONCE, Depth, Received, Sending
from cortex_async.storage.protocol import (
    Cancellation,
    Claim,
    Progress,
    Referenced,
    ResultMetadata,
    Status,
    Stored,
    rfc3339,
)
from cortex_async.storage.source import Source

Before = dict[str, Callable[[], Awaitable[None]]]
"""What happens before an operation, by the name of its method; what it raises, the operation raises."""


@dataclass
class _Message:
    body: str
    id: str
    receive_count: int = 0


@dataclass
class MemoryQueue:
    """A queue without a visibility timeout: what was received stays hidden until it is released."""

    before: Before = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    released: list[tuple[str, int]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    _visible: deque[_Message] = field(default_factory=deque)
    _hidden: dict[str, _Message] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, body: str, receive_count: int = 0) -> str:
        """Put a message there that was received so often before; return its message id."""
        message = _Message(body, f"message-{len(self._visible) + len(self._hidden) + 1}", receive_count)
        self._show(message)
        return message.id

    async def send(self, request_id: str, body: str, how: Sending = AT_ONCE) -> None:
        """See `Queue`."""
        await self._begin("send")
        self.sent.append((request_id, body))
        self.put(body)

    async def depth(self) -> Depth:
        """See `Queue`."""
        await self._begin("depth")
        return Depth(len(self._visible), len(self._hidden))

    async def receive(self, count: int, wait_seconds: int) -> list[Received]:
        """See `Queue`."""
        await self._begin("receive")
        try:
            async with asyncio.timeout(wait_seconds):
                while not self._visible:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return []
        return [self._hide(self._visible.popleft()) for _ in range(min(count, len(self._visible)))]

    async def delete(self, receipt_handle: str) -> None:
        """See `Queue`."""
        await self._begin("delete")
        self.deleted.append(receipt_handle)
        self._hidden.pop(receipt_handle, None)

    async def extend(self, receipt_handle: str) -> None:
        """See `Queue`."""
        await self._begin("extend")
        self.extended.append(receipt_handle)

    async def release(self, receipt_handle: str, delay_seconds: int) -> None:
        """See `Queue`."""
        await self._begin("release")
        self.released.append((receipt_handle, delay_seconds))
        message = self._hidden.pop(receipt_handle, None)
        if message is not None:
            asyncio.get_running_loop().call_later(delay_seconds, self._show, message)

    def flush(self) -> None:
        """Nothing waits for others here."""

    async def _begin(self, name: str) -> None:
        self.calls.append(name)
        if name in self.before:
            await self.before[name]()

    def _show(self, message: _Message) -> None:
        self._visible.append(message)
        self._arrived.set()

    def _hide(self, message: _Message) -> Received:
        message.receive_count += 1
        handle = f"{message.id}/{message.receive_count}"
        self._hidden[handle] = message
        return Received(message.id, handle, message.body, message.receive_count)


@dataclass
class MemoryStore:
    """The objects of one API; `marks` are the attempts that in_progress objects were written for, in turn."""

    before: Before = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    payloads: dict[str, bytes] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    progresses: dict[str, Progress] = field(default_factory=dict)
    marks: list[int] = field(default_factory=list)
    results: dict[str, tuple[ResultMetadata, bytes]] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    callbacks: dict[str, str] = field(default_factory=dict)
    cancellation: Cancellation | None = None

    async def put_payload(self, request_id: str, source: Source, expected: int | None) -> int:
        """See `Store`."""
        await self._begin("put_payload")
        payload = bytearray()
        while not await source.is_at_end():
            room = bytearray(source.ahead())
            payload += room[: await source.read_into(memoryview(room))]
        self.payloads[request_id] = bytes(payload)
        return source.size

    async def payload(self, request_id: str, size: int) -> AsyncIterator[bytes]:
        """See `Store`."""
        await self._begin("payload")
        if request_id not in self.payloads:
            raise ObjectMissing("GetObject", 404, "NoSuchKey", "it is not there")
        payload = self.payloads[request_id]
        for start in range(0, len(payload), 65_536):
            yield payload[start : start + 65_536]

    async def delete_payload(self, request_id: str) -> None:
        """See `Store`."""
        await self._begin("delete_payload")
        self.payloads.pop(request_id, None)

    async def payload_size(self, request_id: str) -> int | None:
        """See `Store`."""
        await self._begin("payload_size")
        return len(self.payloads[request_id]) if request_id in self.payloads else None

    async def upload_url(self, request_id: str, size: int) -> str:
        """See `Store`."""
        await self._begin("upload_url")
        return f"memory:{request_id}"

    async def find_reference(self, reference: PayloadReference) -> Referenced:
        """See `Store`."""
        await self._begin("find_reference")
        return Referenced('"1"', len(self._other(reference)), "text/plain")

    async def referenced(self, reference: PayloadReference, size: int) -> AsyncIterator[bytes]:
        """See `Store`."""
        await self._begin("referenced")
        yield self._other(reference)

    def _other(self, reference: PayloadReference) -> bytes:
        if reference.url not in self.others:
            raise ObjectMissing("GetObject", 404, "NoSuchKey", "it is not there")
        return self.others[reference.url]

    async def mark_in_progress(self, request_id: str, progress: Progress) -> None:
        """See `Store`."""
        await self._begin("mark_in_progress")
        self.attempts[request_id] = progress.attempt
        self.progresses[request_id] = progress
        self.marks.append(progress.attempt)

    async def progress(self, request_id: str) -> Progress | None:
        """See `Store`."""
        await self._begin("progress")
        if request_id not in self.attempts:
            return None
        return self.progresses.get(request_id) or Progress(self.attempts[request_id])

    async def claim(self, name: str, wanted: Claim, *, instead_of: Claim | None = None) -> Claim:
        """See `Store`."""
        await self._begin("claim")
        if instead_of is not None and self.claims.get(name) == instead_of:
            del self.claims[name]
        return self.claims.setdefault(name, wanted)

    async def begin_once(self, request_id: str, message_id: str) -> str:
        """See `Store`."""
        await self._begin("begin_once")
        return self.holders.setdefault(request_id, message_id)

    async def put_result(
        self,
        request_id: str,
        body: bytes | AsyncIterator[bytes],
        status: Status,
        attempt: int,
        *,
        started: datetime | None = None,
        dead_letter: bool = False,
        content_type: str = "",
        callback_url: str | None = None,
    ) -> None:
        """See `Store`; fails only after the last piece, as the completion of an upload does."""
        whole = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
        await self._begin("put_result")
        if request_id in self.results:
            raise ObjectExists("PutObject", 412, "PreconditionFailed", "it is there")
        metadata = ResultMetadata(
            status,
            attempt,
            rfc3339(datetime.now(UTC)),
            dead_letter,
            rfc3339(started) if started else None,
            content_type,
            len(whole),
            callback_url=callback_url,
        )
        self.results[request_id] = (metadata, whole)

    async def has_result(self, request_id: str) -> bool:
        """See `Store`."""
        await self._begin("has_result")
        return request_id in self.results

    async def metadata(self, request_id: str) -> ResultMetadata | None:
        """See `Store`."""
        await self._begin("metadata")
        return self.results[request_id][0] if request_id in self.results else None

    async def result(self, request_id: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `Store`."""
        await self._begin("result")
        yield self.results[request_id][1][start:stop]

    async def result_url(self, request_id: str) -> str:
        """See `Store`."""
        await self._begin("result_url")
        return f"memory:{request_id}"

    async def requests_after(self, position: str) -> tuple[list[Stored], bool]:
        """See `Store`."""
        await self._begin("requests_after")
        return [Stored(each, each, {"result"}) for each in sorted(self.results) if each > position], False

    async def keep_callback(self, request_id: str, url: str) -> None:
        """See `Store`."""
        await self._begin("keep_callback")
        self.callbacks[request_id] = url

    async def callback(self, request_id: str) -> str | None:
        """See `Store`."""
        await self._begin("callback")
        return self.callbacks.get(request_id)

    async def mark_cancellation(self, cancellation: Cancellation) -> None:
        """See `Store`."""
        await self._begin("mark_cancellation")
        self.cancellation = cancellation

    async def last_cancellation(self) -> Cancellation | None:
        """See `Store`."""
        await self._begin("last_cancellation")
        return self.cancellation

    async def is_dead_letter(self, request_id: str) -> bool:
        """See `Store`."""
        await self._begin("is_dead_letter")
        return request_id in self.results and self.results[request_id][0].dead_letter

    async def open_result(self, request_id: str) -> tuple[ResultMetadata, int, AsyncIterator[bytes]] | None:
        """See `Store`."""
        await self._begin("open_result")
        if request_id not in self.results:
            return None
        metadata, body = self.results[request_id]
        return metadata, len(body), _whole(body)

    async def _begin(self, name: str) -> None:
        self.calls.append(name)
        if name in self.before:
            await self.before[name]()


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
