"""What the bucket holds of a request: its large payload, a sign that it is being processed, its result.

Keys are `<prefix>/<api>/<2 hex>/<id>/<what>`; the two digits are random ones of the id, which spreads the load
over S3's partitions. Status is not stored, it follows from which of these objects exist (design.md).
"""

import asyncio
import enum
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import aiohttp

from cortex_async.aws.retry import delay_seconds
from cortex_async.aws.s3 import META, S3, Upload
from cortex_async.errors import AwsUnavailable, CortexError, ObjectMissing
from cortex_async.storage.parts import Part, Room

T = TypeVar("T")
_DEAD_LETTER = "dead-letter"


class Insist(Protocol):
    """Does a step, and may do it again when AWS refuses it."""

    async def __call__(self, step: Callable[[], Awaitable[T]], /) -> T:
        """Return what the step returns."""
        ...


async def _once(step: Callable[[], Awaitable[T]]) -> T:
    return await step()


class DamagedResult(CortexError):
    """A result's object does not tell how the request ended: it was copied or restored without its metadata."""


class Status(enum.StrEnum):
    """The status of a request, as clients see it."""

    IN_QUEUE = "in_queue"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ending:
    """What is told about a result beside its bytes; `finished` is an aware datetime.

    `dead_letter` says that the request is a dead letter too, which needs its payload.
    """

    status: Status
    attempt: int
    finished: datetime
    dead_letter: bool = False

    @classmethod
    def now(cls, status: Status, attempt: int, *, dead_letter: bool = False) -> "Ending":
        """Return what is told about a result that is finished."""
        return cls(status, attempt, datetime.now(UTC), dead_letter)

    def as_headers(self) -> dict[str, str]:
        """Return the object's metadata."""
        return {
            "content-type": "application/json",
            f"{META}status": self.status.value,
            f"{META}attempt": str(self.attempt),
            f"{META}finished": self.finished.isoformat(timespec="milliseconds"),
            **({f"{META}{_DEAD_LETTER}": "true"} if self.dead_letter else {}),
        }

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "Ending":
        """Read the object's metadata; raises DamagedResult."""
        try:
            return cls(
                Status(headers[f"{META}status"]),
                int(headers[f"{META}attempt"]),
                datetime.fromisoformat(headers[f"{META}finished"]),
                f"{META}{_DEAD_LETTER}" in headers,
            )
        except (KeyError, ValueError) as error:
            raise DamagedResult(
                f"the result's object has no valid {META}status, {META}attempt and {META}finished; "
                "was it copied or restored without its metadata?"
            ) from error


def object_key(prefix: str, api_name: str, request_id: str, what: str) -> str:
    """Return the key of an object; `what` is "payload", "in_progress" or "result"."""
    return f"{prefix}/{api_name}/{request_id[24:26]}/{request_id}/{what}"


class Store:
    """The objects of one API; `patience` is in seconds, as in `Service.send`."""

    def __init__(self, s3: S3, prefix: str, api_name: str) -> None:
        self._s3 = s3
        self._prefix = prefix
        self._api_name = api_name
        self._room = Room()

    def _key(self, request_id: str, what: str) -> str:
        return object_key(self._prefix, self._api_name, request_id, what)

    async def put_payload(self, request_id: str, pieces: AsyncIterator[bytes], patience: float | None) -> int:
        """Store a payload as it arrives; return its size in bytes. Raises NoRoom unless `patience` is None."""
        key = self._key(request_id, "payload")
        return await self._put_stream(
            key, pieces, lambda: {"content-type": "application/octet-stream"}, patience, once=False
        )

    def payload(
        self, request_id: str, size: int, patience: float | None, insist: Insist = _once
    ) -> AsyncIterator[bytes]:
        """Read a payload piece by piece; raises ObjectMissing at the first. `insist` does each call."""
        return self._pieces(self._key(request_id, "payload"), size, patience, insist=insist)

    async def delete_payload(self, request_id: str, patience: float | None) -> None:
        """Remove a payload that is no longer needed."""
        await self._s3.delete(self._key(request_id, "payload"), patience)

    async def mark_in_progress(self, request_id: str, attempt: int, patience: float | None) -> None:
        """Leave the sign that the request is being processed, and for which time (from 1 on)."""
        headers = {f"{META}attempt": str(attempt)}
        await self._s3.put(self._key(request_id, "in_progress"), b"", headers, patience)

    async def attempts_begun(self, request_id: str, patience: float | None) -> int:
        """How many attempts the sign tells of; 0 without one."""
        try:
            headers = await self._s3.head(self._key(request_id, "in_progress"), patience)
        except ObjectMissing:
            return 0
        return int(headers.get(f"{META}attempt", 1))  # a sign that was copied without its number

    async def is_in_progress(self, request_id: str, patience: float | None) -> bool:
        """Whether the sign is there."""
        return await self._exists(self._key(request_id, "in_progress"), patience)

    async def put_result(self, request_id: str, result: bytes, ending: Ending, patience: float | None) -> None:
        """Store a result, once and for all; raises ObjectExists when there is one."""
        await self._s3.put(self._key(request_id, "result"), result, ending.as_headers(), patience, once=True)

    async def put_large_result(
        self, request_id: str, pieces: AsyncIterator[bytes], ending: Callable[[], Ending], insist: Insist
    ) -> None:
        """Like `put_result`, as the result arrives; raises also what `pieces` raises, and stores nothing then.

        `ending` is asked at the end of the pieces, or as soon as they are more than S3 takes in one call.
        `insist` does each step: it cannot be begun anew, for the pieces come once.
        """
        key = self._key(request_id, "result")
        await self._put_stream(key, pieces, lambda: ending().as_headers(), None, once=True, insist=insist)

    async def has_result(self, request_id: str, patience: float | None) -> bool:
        """Whether there is a result."""
        return await self._exists(self._key(request_id, "result"), patience)

    async def is_dead_letter(self, request_id: str, patience: float | None) -> bool:
        """Whether the result says that the request is a dead letter."""
        try:
            headers = await self._s3.head(self._key(request_id, "result"), patience)
        except ObjectMissing:
            return False
        return f"{META}{_DEAD_LETTER}" in headers

    async def open_result(
        self, request_id: str, patience: float | None
    ) -> tuple[Ending, int, AsyncIterator[bytes]] | None:
        """Return how the request ended, the size of the result in bytes, and its pieces; None without one.

        Raises DamagedResult.
        """
        key = self._key(request_id, "result")
        try:
            response = await self._s3.open(key, patience)
        except ObjectMissing:
            return None
        try:
            ending = Ending.from_headers(response.headers)
        except DamagedResult:
            response.close()
            raise
        size = int(response.headers["Content-Length"])
        return ending, size, self._pieces(key, size, patience, response)

    async def _exists(self, key: str, patience: float | None) -> bool:
        try:
            await self._s3.head(key, patience)
        except ObjectMissing:
            return False
        return True

    async def _put_stream(
        self,
        key: str,
        pieces: AsyncIterator[bytes],
        headers: Callable[[], dict[str, Any]],
        patience: float | None,
        *,
        once: bool,
        insist: Insist = _once,
    ) -> int:
        """One PutObject when all fits into a part, else a multipart upload: any size costs one part of memory."""
        size = 0
        upload: Upload | None = None
        try:
            with Part(self._room, may_be_refused=patience is not None) as part:
                async for piece in pieces:
                    size += len(piece)
                    rest = await part.add(piece)
                    while rest:
                        if upload is None:
                            begin = functools.partial(self._s3.begin_upload, key, headers(), patience)
                            upload = await insist(begin)
                        await insist(functools.partial(upload.add, part.body, patience))
                        part.clear()
                        rest = await part.add(rest)
                if upload is None:
                    await insist(functools.partial(self._s3.put, key, part.body, headers(), patience, once=once))
                else:
                    await insist(functools.partial(upload.add, part.body, patience))
            if upload is not None:
                await insist(functools.partial(upload.complete, patience, once=once))
        except BaseException:
            if upload is not None:
                await upload.abort(patience=5)
            raise
        return size

    async def _pieces(
        self,
        key: str,
        size: int,
        patience: float | None,
        response: aiohttp.ClientResponse | None = None,
        insist: Insist = _once,
    ) -> AsyncIterator[bytes]:
        """Read an object of `size` bytes; a connection that breaks is taken up again where it broke."""
        done = failures = 0
        give_up = None  # counted from the first break that brought nothing more
        while True:
            if response is None:
                response = await insist(functools.partial(self._s3.open, key, patience, start=done))
            try:
                async with response:
                    async for piece in response.content.iter_any():
                        done += len(piece)
                        failures, give_up = 0, None
                        yield piece
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                now = asyncio.get_running_loop().time()
                give_up = give_up or (None if patience is None else now + patience)
                if give_up is not None and now >= give_up:
                    raise AwsUnavailable(
                        "GetObject", f"the connection broke after {done} of {size} bytes"
                    ) from error
            if done >= size:
                return
            response = None
            await asyncio.sleep(delay_seconds(failures))
            failures += 1
