"""How busy the container is kept: a full queue, one pod, work of a known length, calls to AWS that take time.

Busy is from the moment that a request reached the container to that of its answer, as the container tells: what a
sleep of 50 ms takes longer than that is not the dispatcher's. It is counted until the last request has begun: from
then on there is nothing to keep a slot busy with.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.client import LoadClient, until
from bench.cost import calls_a_request
from bench.processes import BenchStack, Endpoint

_SECONDS = 6.0  # of work for each slot
_POINTS = [
    (slots, work_ms, call_ms)
    for work_ms in (20, 50, 500)
    for slots in (1, 4, 16)
    for call_ms in (5, 15, 40)
    if work_ms < 500 or slots == 1
]


@dataclass(frozen=True, slots=True)
class Point:
    """One combination; `share` is the part of the time that the slots were at work, `sqs` the calls a request."""

    slots: int
    work_ms: int
    call_ms: int
    requests: int
    share: float
    per_second: float
    sqs: float


async def points(endpoint: Endpoint, folder: Path) -> list[Point]:
    """Measure every combination once."""
    return [await _point(endpoint, folder, *each) for each in _POINTS]


async def _point(endpoint: Endpoint, folder: Path, slots: int, work_ms: int, call_ms: int) -> Point:
    name = folder / f"busy-{slots}-{work_ms}-{call_ms}"
    stack = BenchStack(endpoint, name, {"pod": {"maxConcurrency": slots}})
    count = max(20, round(slots * _SECONDS / (work_ms / 1000)))
    endpoint.set_latency(0)
    try:
        stack.provision()
        stack.web_server()
        stack.gateway()
        async with LoadClient(stack, 32) as client:
            ids = await client.submit(b'"x"', count, f"?sleep={work_ms / 1000}")
            endpoint.set_latency(call_ms)
            endpoint.reset()
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
    results = [document["result"] for document in documents]
    began, last = min(each["received"] for each in results), max(each["received"] for each in results)
    seconds = (last - began) / 1e9
    share = sum(min(each["answered"], last) - each["received"] for each in results) / 1e9 / (slots * seconds)
    sqs = calls_a_request(calls, count).sqs if calls else float("nan")
    return Point(slots, work_ms, call_ms, count, share, count / seconds, sqs)


def rows(measured: list[Point]) -> Iterator[list[str]]:
    """Return the points as a table."""
    yield "slots work(ms) call(ms) requests busy requests/s SQS".split()
    for each in measured:
        yield [
            str(each.slots),
            str(each.work_ms),
            str(each.call_ms),
            str(each.requests),
            f"{each.share:.1%}",
            f"{each.per_second:.1f}",
            f"{each.sqs:.2f}",
        ]
