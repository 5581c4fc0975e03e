"""How busy the container is kept: a full queue, work of a known length, calls to AWS that take time.

Busy is from the moment that a request reached the container to that of its answer, as the container tells: what a
sleep of 50 ms takes longer than that is not the dispatcher's. It is counted until the last request has begun: from
then on there is nothing to keep a slot busy with. Several pods share one container here, which has slots for
all of them; they are there before the requests are.

`possible` is the share that a client reaches which has no queue and no bucket: one connection a slot, the next
request as soon as an answer is there. What is missing to 100 % there is this machine's, and the container's own.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.client import LoadClient, until
from bench.cost import Calls, calls_a_request
from bench.processes import BenchStack, Endpoint

_SECONDS = 10.0  # of work for each slot, where that is enough requests
_SHORT_MS = 50  # of longer work a client without queue and bucket loses nothing
LONG_MS = 10_000
_POINTS = [
    *[(1, slots, work_ms, call_ms) for work_ms in (20, 50) for slots in (1, 4, 16) for call_ms in (5, 15, 40)],
    *[(1, 1, 500, call_ms) for call_ms in (5, 15, 40)],
    *[(4, 1, work_ms, 15) for work_ms in (20, 50, 500)],
    *[(pods, 1, LONG_MS, 15) for pods in (1, 4)],
]


@dataclass(frozen=True, slots=True)
class Point:
    """One combination; `share` and `possible` are parts of the time that the slots were at work."""

    pods: int
    slots: int
    work_ms: int
    call_ms: int
    requests: int
    share: float
    possible: float
    per_second: float
    calls: Calls

    @property
    def of_possible(self) -> float:
        """The share, in percent of what is possible."""
        return 100 * self.share / self.possible

    @property
    def idle_seconds(self) -> float:
        """For how long a slot was idle before each request, on average."""
        return self.work_ms / 1000 * (1 / self.share - 1)


async def points(endpoint: Endpoint, folder: Path) -> list[Point]:
    """Measure every combination once."""
    possible: dict[tuple[int, int], float] = {}
    found = []
    for pods, slots, work_ms, call_ms in _POINTS:
        key = (pods * slots, work_ms)
        if key not in possible:
            measured = folder / f"possible-{key[0]}-{work_ms}"
            possible[key] = await _possible(endpoint, measured, *key) if work_ms <= _SHORT_MS else 1.0
        found.append(await point(endpoint, folder, pods, slots, work_ms, call_ms, possible[key]))
    return found


def _count(slots: int, work_ms: int) -> int:
    # Of long work more than a few: the first ones are so young that nobody looks whether they were cancelled.
    return max(6 if work_ms == LONG_MS else 20, round(_SECONDS / (work_ms / 1000))) * slots


async def point(
    endpoint: Endpoint, folder: Path, pods: int, slots: int, work_ms: int, call_ms: int, possible: float
) -> Point:
    """Measure one combination."""
    name = folder / f"busy-{pods}-{slots}-{work_ms}-{call_ms}"
    stack = BenchStack(endpoint, name, {"pod": {"maxConcurrency": slots}})
    count = _count(pods * slots, work_ms)
    endpoint.set_latency(0)
    try:
        stack.provision()
        stack.web_server()
        stack.gateway()
        async with LoadClient(stack, 32) as client:
            if pods > 1:  # they do not get ready at one moment
                for _ in range(pods):
                    stack.dispatcher()
            ids = await client.submit(b'"x"', count, f"?sleep={work_ms / 1000}")
            endpoint.set_latency(call_ms)
            endpoint.reset()
            if pods == 1:
                stack.dispatcher()
            await until("the container to have served all", lambda: stack.served() >= count)
            await until("the queue to be empty", stack.is_drained)
            await asyncio.sleep(0.1)
            calls = endpoint.reset()
            endpoint.set_latency(0)
            documents = await client.poll(ids)
    finally:
        endpoint.set_latency(0)
        stack.stop()
    share, seconds = _share([document["result"] for document in documents], pods * slots)
    return Point(
        pods, slots, work_ms, call_ms, count, share, possible, count / seconds, calls_a_request(calls, count)
    )


def _share(results: Sequence[dict[str, Any]], slots: int) -> tuple[float, float]:
    """Return the share of the time from the first begin to the last, and how many seconds that is."""
    began, last = min(each["received"] for each in results), max(each["received"] for each in results)
    busy = sum(min(each["answered"], last) - each["received"] for each in results)
    return busy / (slots * (last - began)), (last - began) / 1e9


async def _possible(endpoint: Endpoint, folder: Path, slots: int, work_ms: int) -> float:
    stack = BenchStack(endpoint, folder)
    head = (
        f"POST /?sleep={work_ms / 1000} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Cortex-Request-ID: none\r\n"
        "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n"
    )
    try:
        stack.web_server()
        async with LoadClient(stack, slots, stack.port) as client:
            results = await client.all([head.encode() + b'"x"'] * _count(slots, work_ms))
    finally:
        stack.stop()
    return _share(results, slots)[0]


def rows(measured: list[Point]) -> Iterator[list[str]]:
    """Return the points as a table."""
    yield "pods slots work(ms) call(ms) requests busy possible busy/possible requests/s SQS $/million".split()
    for each in measured:
        yield [
            str(each.pods),
            str(each.slots),
            str(each.work_ms),
            str(each.call_ms),
            str(each.requests),
            f"{each.share:.1%}",
            f"{each.possible:.1%}",
            f"{each.of_possible:.1f}%",
            f"{each.per_second:.1f}",
            f"{each.calls.sqs:.2f}",
            f"{each.calls.dollars_a_million:.2f}",
        ]
