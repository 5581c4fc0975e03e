"""What a process holds: memory, file descriptors, threads and asyncio tasks; and whether that grows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp


@dataclass(frozen=True)
class Usage:
    """At one moment; memory is what is resident, in MiB."""

    memory: float
    descriptors: int
    threads: int
    tasks: int

    def __str__(self) -> str:
        return f"{self.memory:.1f} MiB, {self.descriptors} descriptors, {self.threads} threads, {self.tasks} tasks"


async def read(pid: int, admin_port: int, http: aiohttp.ClientSession) -> Usage:
    """Look at a process of ours by Linux and by its /metrics."""
    async with http.get(f"http://127.0.0.1:{admin_port}/metrics") as response:
        text = await response.text()
    (tasks,) = [line.split()[1] for line in text.splitlines() if line.startswith("process_asyncio_tasks")]
    return _of_process(pid, int(float(tasks)))


def _of_process(pid: int, tasks: int) -> Usage:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in lines)
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Usage(int(facts["VmRSS"].split()[0]) / 1024, descriptors, int(facts["Threads"]), tasks)


# What a process may hold more at the end, idle again, than before the first request: connections to AWS and the
# container that are kept, and the pages that Python does not give back.
MORE_DESCRIPTORS = 8
MORE_THREADS = 2
MORE_TASKS = 3
# From the third quarter of the run to the last one: in the first half, memory still rises to what all clients
# together need, and Python keeps it.
MEMORY_GROWTH_MIB = 2.0
MEMORY_GROWTH_SHARE = 0.03


def growth(before: Usage, rounds: Sequence[Usage], after: Usage) -> list[str]:
    """Say what grew, from what a process held before all, after each round of load, and long after the last."""
    found = []
    for name, more in (("descriptors", MORE_DESCRIPTORS), ("threads", MORE_THREADS), ("tasks", MORE_TASKS)):
        first, last = getattr(before, name), getattr(after, name)
        if last > first + more:
            found.append(f"{name}: {first} before the load, {last} after it")
    quarter = max(1, len(rounds) // 4)
    early = statistics.median(each.memory for each in rounds[-2 * quarter : -quarter] or rounds[:1])
    late = statistics.median(each.memory for each in rounds[-quarter:])
    if late - early > max(MEMORY_GROWTH_MIB, MEMORY_GROWTH_SHARE * early):
        found.append(f"memory: {early:.1f} MiB in the third quarter, {late:.1f} MiB in the last")
    return found
