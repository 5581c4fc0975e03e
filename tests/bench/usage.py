"""What a running process has used, as Linux accounts for it."""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, all its threads, user and system: clock_getcpuclockid(3), to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)


def import_cpu_seconds(module: str) -> float:
    """CPU time of a Python that imports that module and does nothing else."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory_mb(pid: int, *, peak: bool = False) -> float:
    """Resident memory in MB (millions of bytes): now, or at its highest so far."""
    name = "VmHWM" if peak else "VmRSS"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError(f"/proc/{pid}/status has no {name}")


def reset_peak_memory(pid: int) -> None:
    """Let the peak be counted from now on: proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine() -> dict[str, str | int]:
    """Name the machine, for whoever reads the figures elsewhere."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
