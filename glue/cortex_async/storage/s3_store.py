"""The store in S3: keys, metadata, and objects of any size.

Keys are `<prefix>/<api>/<2 hex>/<id>/<what>`; the two digits are random ones of the id, which spreads the load
over S3's partitions. Status is not stored, it follows from which of these objects exist (design.md).
"""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Self

import aiohttp

from cortex_async import limits
from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import META, S3, Upload
from cortex_async.backoff import RetryPolicy
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsRefused, ObjectExists, ObjectMissing
from cortex_async.payload_reference import PayloadReference
from cortex_async.storage.memory_budget import MemoryBudget, Part
from cortex_async.storage.metadata import (
    CALLBACK,
    DEAD_LETTER,
    headers_of_progress,
    headers_of_result,
    progress_of,
    result_of,
)
from cortex_async.storage.protocol import (
    Cancellation,
    Claim,
    DamagedResult,
    Progress,
    Referenced,
    ResultMetadata,
    Status,
    Stored,
    rfc3339,
)
from cortex_async.storage.reading import pieces
from cortex_async.storage.s3_references import S3References
from cortex_async.storage.source import Pieces, Source

log = logging.getLogger(__name__)


def object_key(prefix: str, api_name: str, request_id: str, what: str) -> str:
    """Return the key of an object; `what` is "payload", "in_progress" or "result"."""
    return f"{prefix}/{api_name}/{request_id[24:26]}/{request_id}/{what}"


class S3Store:
    """The objects of one API in a bucket (see `protocol.Store`)."""

    def __init__(
        self,
        s3: S3,
        prefix: str,
        api_name: str,
        policy: RetryPolicy,
        budget: MemoryBudget | None = None,
        references: S3References | None = None,
    ) -> None:
        self._references = references
        self._s3 = s3
        self._prefix = prefix
        self._api_name = api_name
        self._policy = policy
        self._budget = budget or MemoryBudget()

    @classmethod
    def open(
        cls, session: AwsSession, config: ApiConfig, policy: RetryPolicy, budget: MemoryBudget | None = None
    ) -> Self:
        """Return the store of an API, whose every call is tried as the policy says; uploads share `budget`."""
        s3 = S3(session, config.storage.bucket, policy)
        references = S3References(session, policy)
        return cls(s3, config.storage.prefix, config.name, policy, budget, references)

    async def put_payload(self, request_id: str, source: Source, expected: int | None) -> int:
        """See `Store`."""
        headers = {"content-type": "application/octet-stream"}
        await self._put_pieces(self._key(request_id, "payload"), source, lambda: headers, expected, once=False)
        return source.size

    def payload(self, request_id: str, size: int) -> AsyncIterator[bytes]:
        """See `Store`."""
        return self._pieces(self._key(request_id, "payload"), size)

    async def delete_payload(self, request_id: str) -> None:
        """See `Store`."""
        await self._s3.delete(self._key(request_id, "payload"))

    async def payload_size(self, request_id: str) -> int | None:
        """See `Store`."""
        headers = await self._head(request_id, "payload")
        return None if headers is None else int(headers["Content-Length"])

    async def upload_url(self, request_id: str, size: int) -> str:
        """See `Store`."""
        key = self._key(request_id, "payload")
        return await self._s3.presigned("PUT", key, {"content-length": str(size)})

    async def find_reference(self, reference: PayloadReference) -> Referenced:
        """See `Store`."""
        assert self._references is not None
        return await self._references.find(reference)

    def referenced(self, reference: PayloadReference, size: int) -> AsyncIterator[bytes]:
        """See `Store`."""
        assert self._references is not None
        return self._references.pieces(reference, size)

    async def mark_in_progress(self, request_id: str, progress: Progress) -> None:
        """See `Store`."""
        await self._s3.put(self._key(request_id, "in_progress"), b"", headers_of_progress(progress))

    async def progress(self, request_id: str) -> Progress | None:
        """See `Store`."""
        headers = await self._head(request_id, "in_progress")
        return None if headers is None else progress_of(headers)

    async def claim(self, name: str, wanted: Claim, *, instead_of: Claim | None = None) -> Claim:
        """See `Store`."""
        key = f"{self._prefix}/{self._api_name}/{name[:2]}/key-{name}/claim"
        headers = {f"{META}id": wanted.request_id, f"{META}digest": wanted.digest}
        condition = {"if-match": instead_of.version} if instead_of else {}
        while True:
            try:
                await self._s3.put(key, b"", headers | condition, once=not condition)
                return wanted
            except ObjectExists:
                pass
            except AwsRefused as error:
                if not condition or error.status != 404:  # else it is gone since
                    raise
            condition = {}
            try:
                found = await self._s3.head(key)
            except ObjectMissing:
                continue
            return Claim(found.get(f"{META}id", ""), found.get(f"{META}digest", ""), found["ETag"])

    async def begin_once(self, request_id: str, message_id: str) -> str:
        """See `Store`."""
        headers = {f"{META}holder": message_id}
        try:
            await self._s3.put(self._key(request_id, "begun"), b"", headers, once=True)
        except ObjectExists:
            found = await self._head(request_id, "begun")
            return message_id if found is None else found.get(f"{META}holder", message_id)
        return message_id

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
        """See `Store`."""

        def headers() -> dict[str, str]:
            began = rfc3339(started) if started else None
            now = rfc3339(datetime.now(UTC))
            metadata = ResultMetadata(
                status, attempt, now, dead_letter, began, content_type, callback_url=callback_url
            )
            return headers_of_result(metadata)

        key = self._key(request_id, "result")
        if isinstance(body, bytes):
            await self._s3.put(key, body, headers(), once=True)
        else:
            await self._put_pieces(key, Pieces(body), headers, None, once=True)

    async def has_result(self, request_id: str) -> bool:
        """See `Store`."""
        return await self._head(request_id, "result") is not None

    async def metadata(self, request_id: str) -> ResultMetadata | None:
        """See `Store`."""
        headers = await self._head(request_id, "result")
        return None if headers is None else result_of(headers)

    def result(self, request_id: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `Store`."""
        return self._pieces(self._key(request_id, "result"), stop, start=start)

    async def result_url(self, request_id: str) -> str:
        """See `Store`."""
        return await self._s3.presigned("GET", self._key(request_id, "result"), {})

    async def requests_after(self, position: str) -> tuple[list[Stored], bool]:
        """See `Store`."""
        prefix = f"{self._prefix}/{self._api_name}/"
        after = f"{prefix}{position}/~" if position else prefix  # behind all of its objects
        keys, has_more = await self._s3.list(prefix, after)
        found: dict[str, set[str]] = {}
        for key in keys:
            place, _, name = key.removeprefix(prefix).rpartition("/")
            found.setdefault(place, set()).add(name)
        if has_more and len(found) > 1:  # of the last one there may be more objects
            found.popitem()
        return [Stored(place, place.rpartition("/")[2], names) for place, names in found.items()], has_more

    async def keep_callback(self, request_id: str, url: str) -> None:
        """See `Store`."""
        await self._s3.put(self._key(request_id, "callback"), b"", {CALLBACK: url})

    async def callback(self, request_id: str) -> str | None:
        """See `Store`."""
        headers = await self._head(request_id, "callback")
        return None if headers is None else headers.get(CALLBACK)

    async def mark_cancellation(self, cancellation: Cancellation) -> None:
        """See `Store`."""
        headers = {f"{META}id": cancellation.request_id, f"{META}at": f"{cancellation.at:.3f}"}
        await self._s3.put(self._cancellation_key, b"", headers)

    async def last_cancellation(self) -> Cancellation | None:
        """See `Store`."""
        unknown = Cancellation("", time.time())  # any request may have been cancelled
        try:
            headers = await self._s3.head(self._cancellation_key, is_optional=True)
            return Cancellation(headers[f"{META}id"], float(headers[f"{META}at"]))
        except ObjectMissing:
            return None
        except (KeyError, ValueError):  # copied without its metadata
            return unknown
        except AwsRefused as error:  # a role of an earlier version
            log.warning("the last cancellation cannot be read", extra={"reason": str(error)})
            return unknown

    async def is_dead_letter(self, request_id: str) -> bool:
        """See `Store`."""
        return DEAD_LETTER in (await self._head(request_id, "result") or ())

    async def open_result(self, request_id: str) -> tuple[ResultMetadata, int, AsyncIterator[bytes]] | None:
        """See `Store`."""
        key = self._key(request_id, "result")
        try:
            response = await self._s3.open(key)
        except ObjectMissing:
            return None
        try:
            metadata = result_of(response.headers)
        except DamagedResult:
            response.close()
            raise
        size = int(response.headers["Content-Length"])
        return metadata, size, self._pieces(key, size, response)

    @property
    def _cancellation_key(self) -> str:
        return f"{self._prefix}/{self._api_name}/00/last/cancellation"

    def _key(self, request_id: str, what: str) -> str:
        return object_key(self._prefix, self._api_name, request_id, what)

    async def _head(self, request_id: str, what: str) -> Mapping[str, str] | None:
        try:
            return await self._s3.head(self._key(request_id, what))
        except ObjectMissing:
            return None

    async def _put_pieces(
        self,
        key: str,
        source: Source,
        headers: Callable[[], dict[str, str]],
        expected: int | None,
        *,
        once: bool,
    ) -> None:
        """One PutObject when all fits into a part, else a multipart upload, several parts at once."""
        upload: Upload | None = None
        sending: set[asyncio.Task[None]] = set()
        try:
            is_complete = False
            while not is_complete:
                most = limits.S3_PART_BYTES
                if expected is not None:
                    most = min(expected - source.size, most)
                with Part(self._budget, most, may_exceed=self._policy.seconds is None) as part:
                    is_complete = await part.fill(source)
                    if is_complete and upload is None:
                        await self._s3.put(key, part.body, headers(), once=once)
                        return
                    upload = upload or await self._s3.begin_upload(key, headers())
                    sending.add(_send(upload, part.handed_over()))
                sending = await _ended(sending, 0 if is_complete else limits.PARTS_AT_ONCE - 1)
            assert upload is not None
            await upload.complete(once=once)
        except BaseException:
            await _cancelled(sending)
            if upload is not None:
                await upload.abort()
            raise
        finally:
            self._budget.drop_spares()

    def _pieces(
        self, key: str, size: int, response: aiohttp.ClientResponse | None = None, start: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read an object of `size` bytes; with `start`, from there on, and `size` is where to end."""
        stop = None if start is None else size
        open_from = functools.partial(self._s3.open, key, stop=stop)
        return pieces(open_from, size, self._policy, response, start or 0)


def _send(upload: Upload, part: Part) -> asyncio.Task[None]:
    """Send a part, which gives its memory back at the end, even when that comes before the task has begun."""
    task = asyncio.create_task(upload.add(part.body))
    task.add_done_callback(lambda _: part.close(is_sent=not task.cancelled() and task.exception() is None))
    return task


async def _ended(sending: set[asyncio.Task[None]], most: int) -> set[asyncio.Task[None]]:
    """Wait until at most `most` parts are being sent, and return those; raises what sending one raised."""
    while len(sending) > most:
        done, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    return sending


async def _cancelled(sending: set[asyncio.Task[None]]) -> None:
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
