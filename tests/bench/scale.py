"""The same load at other sizes: `max_concurrency`, number of dispatchers, size of the payload."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import Round, run_round
from bench.processes import BenchStack, Endpoint
from bench.usage import memory_mb, reset_peak_memory

_CONCURRENCIES = (1, 10, 100)
_DISPATCHERS = (1, 4)
_PAYLOADS = {"1 KB": 1_000, "100 KB": 100_000, "10 MB": 10_000_000}


@dataclass(frozen=True, slots=True)
class Point:
    """One combination; memory is a dispatcher's highest, in MB."""

    max_concurrency: int
    dispatchers: int
    payload: str
    requests: int
    round: Round
    peak_memory_mb: float


def json_of_size(size: int) -> bytes:
    """Return a JSON string of that many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


def _requests(max_concurrency: int, size: int) -> int:
    """As many as take a second or two."""
    if size >= 10_000_000:
        return 8
    return min(1_500 if size <= 1_000 else 500, 200 * max_concurrency)


async def points(endpoint: Endpoint, folder: Path) -> list[Point]:
    """Measure every combination once."""
    found = []
    for max_concurrency in _CONCURRENCIES:
        for count in _DISPATCHERS:
            stack = BenchStack(
                endpoint, folder / f"scale-{max_concurrency}-{count}", {"pod": {"maxConcurrency": max_concurrency}}
            )
            try:
                found += [point async for point in _points_of(stack, max_concurrency, count)]
            finally:
                stack.stop()
    return found


async def _points_of(stack: BenchStack, max_concurrency: int, count: int) -> AsyncIterator[Point]:
    stack.provision()
    stack.web_server()
    gateway = stack.gateway()
    dispatchers = [stack.dispatcher() for _ in range(count)]
    await run_round(stack, gateway, dispatchers, json_of_size(1_000), 50)
    for name, size in _PAYLOADS.items():
        requests = _requests(max_concurrency, size)
        for dispatcher in dispatchers:
            reset_peak_memory(dispatcher.pid)
        measured = await run_round(stack, gateway, dispatchers, json_of_size(size), requests)
        peak = max(memory_mb(dispatcher.pid, peak=True) for dispatcher in dispatchers)
        yield Point(max_concurrency, count, name, requests, measured, peak)


def rows(measured: Sequence[Point]) -> list[list[str]]:
    """Return the points as a table."""
    heading = "concurrency dispatchers payload requests requests/s CPU(ms) PUT GET SQS $/million peak(MB)"
    found = [heading.split()]
    for point in measured:
        calls = point.round.calls
        counted = (
            [f"{value:.2f}" for value in (calls.put, calls.get, calls.sqs, calls.dollars_a_million)]
            if calls
            else ["-"] * 4
        )
        found.append(
            [
                str(point.max_concurrency),
                str(point.dispatchers),
                point.payload,
                str(point.requests),
                f"{point.round.dispatched_per_second:.0f}",
                f"{point.round.dispatcher_cpu_ms:.2f}",
                *counted,
                f"{point.peak_memory_mb:.0f}",
            ]
        )
    return found
