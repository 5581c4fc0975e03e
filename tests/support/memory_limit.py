"""A container's memory limit for a process of the tests: a memory cgroup of its own, where one can be made."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cortex_async_tools.chart.helm_yaml import load_manifest

_VALUES = Path(__file__).parents[2] / "charts" / "cortex-async" / "values.yaml"
_V2 = Path("/sys/fs/cgroup")
_V1 = _V2 / "memory"
_ENTER = 'echo $$ > "$0/cgroup.procs" && mount --bind "$0" "$1" && shift && exec "$@"'


def chart_limit(part: str) -> int:
    """The memory limit that the chart gives to a part, in bytes."""
    values = load_manifest(_VALUES.read_text())[0]
    return int(values[part]["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20


@dataclass(frozen=True)
class MemoryLimit:
    """A cgroup with a limit; its processes see it where a container would."""

    group: Path
    root: Path

    def within(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` in it, under the same process id."""
        return ["unshare", "--mount", "sh", "-c", _ENTER, str(self.group), str(self.root), *argv]

    @property
    def kills(self) -> int:
        """How many processes were killed since they wanted more."""
        file = self.group / ("memory.events" if self.root == _V2 else "memory.oom_control")
        counts = dict(line.split() for line in file.read_text().splitlines())
        return int(counts.get("oom_kill", 0))

    @property
    def peak_mib(self) -> float:
        """The most that was held, with the cache of files; 0 where Linux does not tell."""
        file = self.group / ("memory.peak" if self.root == _V2 else "memory.max_usage_in_bytes")
        return int(file.read_text()) / 2**20 if file.exists() else 0.0


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[MemoryLimit | None]:
    """A cgroup with that limit in bytes, removed at the end; None where none can be made.

    To be left only when its processes have ended.
    """
    root = _V1 if (_V1 / "memory.limit_in_bytes").exists() else _V2
    group = root / f"cortex-async-{uuid.uuid4().hex[:8]}"
    file = group / ("memory.limit_in_bytes" if root == _V1 else "memory.max")
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        file.write_text(str(size))
        is_limited = shutil.which("unshare") is not None
    except OSError:  # cgroups, but not that of memory
        is_limited = False
    try:
        yield MemoryLimit(group, root) if is_limited else None
    finally:
        group.rmdir()


def peak_mib(pid: int) -> float:
    """The most that a process has held itself, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux tells no peak")
