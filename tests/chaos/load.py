"""The client: submits requests of many kinds, waits for each result, and checks that it is the right one."""

import asyncio
import hashlib
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

_LARGE_RESULT_BYTES = 6_000_000  # more than one part of a multipart upload
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.5
_SLOWEST = 5
_KEYED = 0.1
_CANCELLED = 0.02
_TOLD = 0.2
_WAITED = 0.1
_WAIT_SECONDS = 10
_CULPRITS_CODES = ("connection_broken", "attempts_exhausted")


@dataclass(frozen=True)
class Wanted:
    """One request: what is posted, and what the result must be."""

    payload: bytes
    query: str
    fill: int | None  # the result is a string of that length, else it tells the payload's SHA-256 and size
    is_culprit: bool = False  # it kills its container each time, and is to fail
    key: str | None = None  # it is submitted under that Idempotency-Key, twice
    cancel_after: float | None = None  # it is cancelled so many seconds after it was accepted
    is_told: bool = False  # its end is told by a webhook
    is_waited_for: bool = False  # its client asks by `?wait=`, which is answered at its end

    def matches(self, request_id: str, result: Any) -> bool:
        """Whether `result` is what the web server of the tests answers to this request."""
        if self.fill is not None:
            return bool(result == "x" * self.fill)
        headers = {name.lower(): value for name, value in result["headers"]}
        return bool(
            result["sha256"] == hashlib.sha256(self.payload).hexdigest()
            and result["size"] == len(self.payload)
            and result["query"] == self.query
            and headers["x-cortex-request-id"] == request_id
        )


def make_request(seed: str, index: int, crash_every: int = 0) -> Wanted:
    """Make the request of that number: mostly small ones, some above the inline limit, few of several MB.

    One of every `crash_every` kills its container, each time, while others are in it.
    """
    if crash_every and index % crash_every == crash_every // 4:
        return Wanted(b"{}", f"n={index}&sleep=0.3&crash", None, is_culprit=True, is_told=True)
    chance = random.Random(f"{seed}/{index}")
    kind = chance.random()
    size = chance.randrange(2000)
    query = f"n={index}"
    fill = None
    if kind < 0.003:
        size = chance.randrange(5_500_000, 8_000_000)
    elif kind < 0.05:
        size = chance.randrange(20_000, 100_000)
    elif kind < 0.08:
        query += "&sleep=0.5"
    elif kind < 0.09:
        fill = chance.randrange(70_000, 200_000)
    elif kind < 0.091:
        fill = chance.randrange(_LARGE_RESULT_BYTES, 2 * _LARGE_RESULT_BYTES)
    if fill is not None:
        query += f"&fill={fill}"
    payload = json.dumps({"n": index}).encode() if chance.random() < 0.5 else index.to_bytes(4)
    payload += chance.randbytes(size)
    key = f"{seed}-{index}" if chance.random() < _KEYED else None
    cancel_after = 2 * chance.random() if chance.random() < _CANCELLED else None
    is_told = cancel_after is not None or chance.random() < _TOLD
    is_waited_for = chance.random() < _WAITED
    return Wanted(
        payload, query, fill, key=key, cancel_after=cancel_after, is_told=is_told, is_waited_for=is_waited_for
    )


@dataclass
class Tally:
    """What the client saw."""

    accepted: dict[str, str | None] = field(default_factory=dict)  # id -> MD5 of the result's bytes, None so far
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    culprits: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)  # as a gateway has confirmed
    never_begun: set[str] = field(default_factory=set)  # of those, what had not begun by then
    told: dict[str, str] = field(default_factory=dict)  # how those ended of which a webhook is to come
    slowest: list[tuple[float, str, str]] = field(default_factory=list)  # seconds, id, query; of good requests

    @property
    def without_result(self) -> list[str]:
        return [request_id for request_id, result in self.accepted.items() if result is None]


class Load:
    """Keeps `concurrency` requests under way until `total` have ended or `deadline` (time.monotonic) has come."""

    def __init__(
        self,
        url: str,
        http: aiohttp.ClientSession,
        seed: str,
        total: int,
        deadline: float,
        crash_every: int = 0,
        started: Callable[[], Sequence[str]] = list,
        callback_url: str = "",
    ) -> None:
        self._callback_url = callback_url
        self._started = started
        self._crash_every = crash_every
        self._url = url
        self._http = http
        self._seed = seed
        self._numbers = iter(range(total))
        self._deadline = deadline
        self.tally = Tally()

    async def run(self, concurrency: int) -> None:
        """Return when every request has a result, or the deadline is over."""
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        for index in self._numbers:
            wanted = make_request(self._seed, index, self._crash_every)
            request_id = await self._submit(wanted)
            if request_id is None:
                return
            self.tally.accepted[request_id] = None
            if wanted.is_culprit:
                self.tally.culprits.add(request_id)
            if wanted.key is not None and await self._submit(wanted) not in (request_id, None):
                self.tally.wrong.append(f"{request_id}: submitted again under its key it got another id")
            since = time.monotonic()
            if wanted.cancel_after is not None:
                await self._cancel(request_id, wanted.cancel_after)
            status = await self._await_result(request_id, wanted)
            if wanted.is_told and status is not None:
                self.tally.told[request_id] = status
            if not wanted.is_culprit:
                took = (time.monotonic() - since, request_id, wanted.query)
                self.tally.slowest = sorted([*self.tally.slowest, took], reverse=True)[:_SLOWEST]

    async def _submit(self, wanted: Wanted) -> str | None:
        """Submit until it is accepted; a POST without an id in its answer was not, whatever became of it."""
        url = URL(f"{self._url}?{wanted.query}", encoded=True)
        headers = {"Idempotency-Key": wanted.key} if wanted.key else {}
        if wanted.is_told:
            headers["X-Callback-Url"] = self._callback_url
        while time.monotonic() < self._deadline:
            payload = io.BytesIO(wanted.payload) if len(wanted.payload) > 2**20 else wanted.payload
            try:
                async with self._http.post(url, data=payload, headers=headers) as response:
                    document = await response.json()
                    if response.status == 200:
                        return str(document["id"])
                    self.tally.counts[f"POST answered {response.status}"] += 1
                    if response.status != 503:
                        self.tally.wrong.append(f"a POST was answered {response.status}: {document}")
            except (aiohttp.ClientError, TimeoutError):
                self.tally.counts["POST without an answer"] += 1
            await asyncio.sleep(random.uniform(0.1, 1.0))
        self.tally.counts["requests that could not be submitted in time"] += 1
        return None

    async def _cancel(self, request_id: str, after: float) -> None:
        """Cancel a request until that is confirmed, or it has ended; note whether it had begun by then."""
        await asyncio.sleep(after)
        while time.monotonic() < self._deadline:
            try:
                async with self._http.delete(f"{self._url}/{request_id}") as response:
                    document = await response.json()
            except (aiohttp.ClientError, TimeoutError):
                self.tally.counts["DELETE without an answer"] += 1
            else:
                if response.status == 202:
                    self.tally.cancelled.add(request_id)
                    if request_id not in await asyncio.to_thread(self._started):
                        self.tally.never_begun.add(request_id)
                    return
                self.tally.counts[f"DELETE answered {response.status}"] += 1
                if response.status == 409:
                    return
                if response.status != 503:
                    self.tally.wrong.append(f"a DELETE was answered {response.status}: {document}")
            await asyncio.sleep(random.uniform(0.1, 1.0))

    async def _await_result(self, request_id: str, wanted: Wanted) -> str | None:
        """Return how the request ended; None when it has not in time."""
        pause = _FIRST_PAUSE_SECONDS
        url = f"{self._url}/{request_id}"
        if wanted.is_waited_for:
            url += f"?wait={_WAIT_SECONDS}"
            self.tally.counts["requests waited for by ?wait="] += 1
        while time.monotonic() < self._deadline:
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)
            try:
                async with self._http.get(url) as response:
                    body = await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                self.tally.counts[f"GET without a whole answer ({type(error).__name__})"] += 1
                continue
            if response.status == 503:
                self.tally.counts["GET answered 503"] += 1
            elif status := self._end(request_id, wanted, response.status, body):
                return status
        return None

    def _end(self, request_id: str, wanted: Wanted, status: int, body: bytes) -> str | None:
        """Judge an answer; return how the request ended, when it is a last one."""
        tally = self.tally
        try:
            document = json.loads(body)
        except ValueError:
            tally.wrong.append(f"{request_id}: an answer ({status}) that is not JSON: {body[:200]!r}")
            return None
        if status != 200:
            tally.wrong.append(f"{request_id}: an accepted id was answered {status}: {document}")
            return None
        if document["status"] not in ("completed", "failed", "cancelled"):
            return None
        name = "result" if document["status"] == "completed" else "error"
        result = body.partition(f'"{name}": '.encode())[2][:-1]
        tally.accepted[request_id] = hashlib.md5(result).hexdigest()
        if (document["status"] == "cancelled") != (request_id in tally.cancelled):
            tally.wrong.append(
                f"{request_id}: it ended so, whatever was confirmed of its cancellation: {document}"
            )
        elif document["status"] == "cancelled":
            pass
        elif wanted.is_culprit:
            if document["status"] != "failed" or document["error"]["code"] not in _CULPRITS_CODES:
                tally.wrong.append(f"{request_id}: it kills its container, and ended so: {document}")
        elif document["status"] == "failed":
            tally.wrong.append(f"{request_id}: failed: {document['error']}")
        elif not wanted.matches(request_id, document["result"]):
            tally.wrong.append(f"{request_id}: a result of another request: {str(document['result'])[:300]}")
        return str(document["status"])
