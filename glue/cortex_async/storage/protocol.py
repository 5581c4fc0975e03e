"""What gateway and dispatcher ask of a store; `S3Store` is the real one, tests have one in memory.

Each method of a store opened as PERSISTENT returns when it has succeeded, however long that takes. Each of another
raises AwsUnavailable when its time is over, and AwsRefused for what trying again does not change.
"""

import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cortex_async.errors import CortexError
from cortex_async.payload_reference import PayloadReference
from cortex_async.storage.source import Source


class DamagedResult(CortexError):
    """A result's object does not tell how the request ended: it was copied or restored without its metadata."""


class Status(enum.StrEnum):
    """The status of a request, as clients see it."""

    IN_QUEUE = "in_queue"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


def rfc3339(moment: datetime) -> str:
    """Write an aware datetime of UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class ResultMetadata:
    """What is stored of a result beside its bytes; `finished` and `started` are moments as `rfc3339` writes them.

    `attempt` counts those that were made. `started` is when the last of them began; None without any, and in
    results of earlier versions. `dead_letter` says that the request is a dead letter too, which needs its payload.
    `content_type` is that of a result that is no JSON, else "". `size` (bytes) and `etag` are the store's.
    `callback_url` is where the request wants its webhooks, if it says so.
    """

    status: Status
    attempt: int
    finished: str
    dead_letter: bool = False
    started: str | None = None
    content_type: str = ""
    size: int = 0
    etag: str = ""
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the in_progress object tells of a request: the attempt that began last, from 1 on; 0 if none counts.

    `is_shared` says that others could be in the container with it, so that any of them may be to blame when all
    end together; `is_suspect` that this happened before. `is_waiting` says that the attempt is over, and the
    request waits for the next. `fraction` (0 to 1) and `message` are what the container has reported.
    """

    attempt: int
    is_shared: bool = False
    is_suspect: bool = False
    is_waiting: bool = False
    fraction: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Which request an idempotency key belongs to, and a digest of its content; `version` is the store's."""

    request_id: str
    digest: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The last cancellation of all of an API: of which request, and when (seconds since the epoch)."""

    request_id: str
    at: float


class Referenced(NamedTuple):
    """What the store says of an object that a payload refers to: its ETag, size in bytes, and Content-Type."""

    etag: str
    size: int
    content_type: str


class Stored(NamedTuple):
    """A request of which the names of its objects are known, and its position among the others."""

    position: str
    request_id: str
    names: set[str]


class Store(Protocol):
    """The objects of one API."""

    async def put_payload(self, request_id: str, source: Source, expected: int | None) -> int:
        """Store a payload as it arrives, and return its size; `expected` is that size where it is announced.

        Raises NoMemory when too much is uploaded at once, and what `source` raises.
        """
        ...

    def payload(self, request_id: str, size: int) -> AsyncIterator[bytes]:
        """Read a payload piece by piece; raises ObjectMissing, and ObjectDamaged when it has another size."""
        ...

    async def delete_payload(self, request_id: str) -> None:
        """Remove a payload that is no longer needed; a refusal is raised, by a persistent store too."""
        ...

    async def payload_size(self, request_id: str) -> int | None:
        """Return the size of a payload in bytes; None without one."""
        ...

    async def upload_url(self, request_id: str, size: int) -> str:
        """Return a URL by which anybody may store a payload of `size` bytes by PUT, for `PRESIGNED_SECONDS`."""
        ...

    async def find_reference(self, reference: PayloadReference) -> Referenced:
        """Look at an object that a payload refers to; raises ObjectMissing, and AwsRefused in any store."""
        ...

    def referenced(self, reference: PayloadReference, size: int) -> AsyncIterator[bytes]:
        """Read it piece by piece; raises as `find_reference` does, and ObjectDamaged when it is another by now."""
        ...

    async def mark_in_progress(self, request_id: str, progress: Progress) -> None:
        """Write the in_progress object."""
        ...

    async def progress(self, request_id: str) -> Progress | None:
        """Read the in_progress object; None without one."""
        ...

    async def claim(self, name: str, wanted: Claim, *, instead_of: Claim | None = None) -> Claim:
        """Store a claim under a name, unless there is one, be it in the place of another; return the one there."""
        ...

    async def begin_once(self, request_id: str, message_id: str) -> str:
        """Return the id of the message that the request begins by: this one, unless there is one already."""
        ...

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
        """Store a result, once and for all, as JSON unless a type is given; of an iterator that raises, nothing.

        Raises ObjectExists when there is a result already, and for an iterator UploadLost and ObjectTooLarge.
        """
        ...

    async def has_result(self, request_id: str) -> bool:
        """Whether there is a result."""
        ...

    async def metadata(self, request_id: str) -> ResultMetadata | None:
        """Return a result's metadata; None without one. Raises DamagedResult."""
        ...

    def result(self, request_id: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Read a result's bytes from `start` to before `stop`, piece by piece; raises as `payload` does."""
        ...

    async def result_url(self, request_id: str) -> str:
        """Return a URL by which anybody may read a result, for `PRESIGNED_SECONDS`."""
        ...

    async def requests_after(self, position: str) -> tuple[list[Stored], bool]:
        """Return a page of what is stored, in an order of its own after `position`, and whether there is more.

        Some of it may be of no request. "" is the position before all.
        """
        ...

    async def keep_callback(self, request_id: str, url: str) -> None:
        """Store where a request wants its webhooks, since its result does not tell."""
        ...

    async def callback(self, request_id: str) -> str | None:
        """Read what `keep_callback` stored; None without it."""
        ...

    async def mark_cancellation(self, cancellation: Cancellation) -> None:
        """Write the one object that tells of the API's last cancellation."""
        ...

    async def last_cancellation(self) -> Cancellation | None:
        """Read that object; None while no request was cancelled for as long as results are kept."""
        ...

    async def is_dead_letter(self, request_id: str) -> bool:
        """Whether the result says that the request is a dead letter."""
        ...

    async def open_result(self, request_id: str) -> tuple[ResultMetadata, int, AsyncIterator[bytes]] | None:
        """Return a result's metadata, its size in bytes, and its pieces; None without one.

        Raises DamagedResult.
        """
        ...
