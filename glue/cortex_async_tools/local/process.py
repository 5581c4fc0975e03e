"""Child processes that end together.

Each child leads a process group of its own, which what it starts in turn is in, so that a script's `kill 0`
reaches no more than it would in its container. A guard, a process that only reads a pipe held open by this one,
knows the groups: when this process ends, however it ends, the pipe closes, and the guard kills the groups and
removes the scratch folder. So a `kill -9` of local mode leaves nothing behind either.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cortex_async.errors import CortexError
from cortex_async_tools.local.output import Output

_GUARD = """
import os, shutil, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
_ENLIST = 'echo "+$$" >&0; exec "$@" </dev/null'
"""A child tells the guard of itself before it runs its program: at no moment it runs unknown to the guard."""

_TAIL_LINES = 12  # enough for a traceback's end
_END_SECONDS = 1.0  # from SIGTERM to SIGKILL for what is still there when all is over
_LONGEST_LINE_BYTES = 65536  # a longer one is printed as several
_LAST_OUTPUT_SECONDS = 1.0  # for what a process wrote just before its end


class ProcessError(CortexError):
    """A process could not be started, or ended when it should not have."""


@dataclass(frozen=True)
class Command:
    """How a process is started; `name` labels its lines, `read_line` rewords them, messages call it `title`."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    title: str = ""
    read_line: Callable[[str], str] = str

    def __str__(self) -> str:
        return self.title or self.name


class Child:
    """A running process and the last lines it wrote; a lasting one is not meant to end by itself."""

    def __init__(
        self, command: Command, process: asyncio.subprocess.Process, pipe: int, output: Output, *, lasting: bool
    ) -> None:
        self.command = command
        self.process = process
        self.lasting = lasting
        self._output = output
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._reading = asyncio.create_task(self._pass_on(pipe))
        self.exited = asyncio.create_task(self._wait())
        """Its exit code, once it and its output have ended."""

    def last_lines(self) -> str:
        """Return the last lines, each indented under the process's name."""
        if not self._tail:
            return "\n  (it wrote nothing)"
        return "".join(f"\n  {self.command.name} | {line}" for line in self._tail)

    def close(self) -> None:
        """Read no more of what it, or a process it left behind, writes."""
        self._reading.cancel()

    async def _wait(self) -> int:
        code = await self.process.wait()
        await asyncio.wait([self._reading], timeout=_LAST_OUTPUT_SECONDS)
        return code

    async def _pass_on(self, pipe: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
        )
        rest = b""
        try:
            while chunk := await reader.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._line(line)
        finally:
            if rest:
                self._line(rest)
            transport.close()

    def _line(self, line: bytes) -> None:
        text = self.command.read_line(line.decode("utf-8", "replace").rstrip("\r"))
        for each in text.split("\n"):
            self._tail.append(each)
            self._output.line(self.command.name, each)


class Processes:
    """Starts children, passes their output on, and stops them; as a context manager, leaves none behind.

    `scratch` is a folder that goes with them.
    """

    def __init__(self, output: Output, scratch: Path) -> None:
        self._output = output
        self._scratch = scratch
        self._children: dict[str, Child] = {}

    async def __aenter__(self) -> "Processes":
        self._guard = subprocess.Popen(  # noqa: ASYNC220, S603 (returns at once; runs the constant above)
            [sys.executable, "-I", "-S", "-c", _GUARD, self._scratch], stdin=subprocess.PIPE, process_group=0
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(list(self._children), _END_SECONDS)
        for child in self._children.values():
            with suppress(ProcessLookupError, PermissionError):  # nothing of it is left
                os.killpg(child.process.pid, signal.SIGKILL)
        self._guard.communicate()
        for child in self._children.values():
            await child.exited
            child.close()

    async def start(self, command: Command, *, lasting: bool = True) -> Child:
        """Start a process; raises `ProcessError` when its program cannot be run."""
        _check_program(command)
        readable, writable = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _ENLIST, command.name, *command.argv),
                stdin=self._guard.stdin,
                stdout=writable,
                stderr=writable,
                env=dict(command.env),
                cwd=command.cwd,
                process_group=0,
            )
        except BaseException:
            os.close(readable)
            raise
        finally:
            os.close(writable)
        child = self._children[command.name] = Child(command, process, readable, self._output, lasting=lasting)
        return child

    async def run(self, command: Command) -> None:
        """Run a process to its end; raises `ProcessError` when that is not exit code 0."""
        child = await self.start(command, lasting=False)
        await asyncio.wait([child.exited])  # when cancelled, does not cancel what is waited for again at the end
        self._forget(child)
        code = child.exited.result()
        if code != 0:
            raise ProcessError(_ended(child, code))

    async def first_exit(self) -> None:
        """Wait until a lasting process ends, and raise a `ProcessError` that names it."""
        children = {child.exited: child for child in self._children.values() if child.lasting}
        done, _ = await asyncio.wait(children, return_when=asyncio.FIRST_COMPLETED)
        exited = done.pop()
        raise ProcessError(_ended(children[exited], exited.result()))

    def last_lines(self, name: str) -> str:
        """Return the last lines of a process; nothing when it was not started."""
        return self._children[name].last_lines() if name in self._children else ""

    async def stop(self, names: Sequence[str], grace_seconds: float) -> None:
        """Tell processes to end (SIGTERM to each itself, as Kubernetes does) and wait; kill what is left then."""
        children = [child for name, child in self._children.items() if name in names]
        running = [child for child in children if child.process.returncode is None]
        for child in running:
            child.process.send_signal(signal.SIGTERM)
        if running:
            await asyncio.wait([child.exited for child in running], timeout=grace_seconds)
        self.kill(names)

    def kill(self, names: Sequence[str]) -> None:
        """End processes at once (SIGKILL); those that have ended are no error."""
        for name, child in self._children.items():
            if name in names and child.process.returncode is None:
                child.process.kill()

    def _forget(self, child: Child) -> None:
        """Never again signal the group of a process that has ended: its number may be given to another."""
        del self._children[child.command.name]
        assert self._guard.stdin is not None
        with suppress(BrokenPipeError):
            os.write(self._guard.stdin.fileno(), f"-{child.process.pid}\n".encode())


def _ended(child: Child, code: int) -> str:
    how = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
    if code == 0:
        how += ", though it is to run as long as the API"
    return f"{child.command} {how}; its last lines:{child.last_lines()}"


def _check_program(command: Command) -> None:
    """Raise `ProcessError` when there is no such program: the shell would only say so in the child's output."""
    program = command.argv[0]
    if os.sep in program:
        found = os.access(command.cwd / program, os.X_OK)
    else:
        found = shutil.which(program, path=command.env.get("PATH", os.defpath)) is not None
    if not found:
        raise ProcessError(f"{command} cannot be started: there is no program {program!r} on this machine")
