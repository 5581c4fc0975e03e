"""One round of load in three parts, so that each process is measured at its own work: submit, drain, poll."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.client import LoadClient, until
from bench.cost import Calls, calls_a_request
from bench.processes import BenchStack
from bench.usage import cpu_seconds
from support.processes import Process

_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Round:
    """CPU in ms a request, requests a second, and calls a request (None when nothing counts them)."""

    submit_cpu_ms: float
    poll_cpu_ms: float
    dispatcher_cpu_ms: float
    submits_per_second: float
    dispatched_per_second: float
    polls_per_second: float
    calls: Calls | None


async def run_round(
    stack: BenchStack, gateway: Process, dispatchers: Sequence[Process], payload: bytes, count: int
) -> Round:
    """Submit while the dispatchers are held, let them go until the queue is empty, then poll each result once."""
    for dispatcher in dispatchers:
        dispatcher.signal(signal.SIGSTOP)
    stack.emulator.reset()
    connections = min(_CONNECTIONS, max(1, 2**26 // len(payload)))
    async with LoadClient(stack, connections) as client:
        submit = _Meter([gateway])
        ids = await client.submit(payload, count)
        submit.stop()
        served = stack.served()
        drain = _Meter(dispatchers)
        for dispatcher in dispatchers:
            dispatcher.signal(signal.SIGCONT)
        await until("the container to have served all", lambda: stack.served() >= served + count)
        drain.stop_clock()
        await until("the queue to be empty", stack.is_drained)
        drain.stop()
        await asyncio.sleep(0.1)  # so that the dispatchers' next long polls are open, and out of the way
        poll = _Meter([gateway])
        documents = await client.poll(ids)
        poll.stop()
    assert all(document["result"]["size"] == len(payload) for document in documents)
    return Round(
        submit.cpu_seconds / count * 1000,
        poll.cpu_seconds / count * 1000,
        drain.cpu_seconds / count * 1000,
        count / submit.seconds,
        count / drain.seconds,
        count / poll.seconds,
        _calls(stack.emulator.reset(), count),
    )


def _calls(counts: Mapping[str, Mapping[str, int]], count: int) -> Calls | None:
    return calls_a_request(counts, count) if counts else None


class _Meter:
    """CPU time of some processes, and time by the clock, from its making on."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes
        self._cpu = self._total()
        self._began = time.perf_counter()
        self.seconds = self.cpu_seconds = 0.0

    def _total(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self._processes)

    def stop_clock(self) -> None:
        self.seconds = self.seconds or time.perf_counter() - self._began

    def stop(self) -> None:
        self.stop_clock()
        self.cpu_seconds = self._total() - self._cpu
