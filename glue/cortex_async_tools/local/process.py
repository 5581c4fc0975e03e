"""Child processes that end together with local mode.

Each child is the leader of its own process group, so that a script's `kill 0` reaches only its own processes, as
in a container. A guard process knows all groups and reads a pipe that local mode holds open. When local mode ends,
even by `kill -9`, the pipe closes; the guard then kills the groups, runs what cleans up after them, and removes
the scratch folder.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortex_async.errors import CortexError
from cortex_async_tools.local.output import Output

_GUARD = """
import json, os, shutil, signal, subprocess, sys
groups, at_last = set(), set()
for line in sys.stdin:
    if line[0] == "!":
        at_last.add(line[1:])
    else:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
for each in at_last:
    subprocess.run(json.loads(each), stdin=subprocess.DEVNULL, capture_output=True)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
_ENLIST = 'echo "+$$" >&0; exec "$@" </dev/null'
"""A child registers with the guard before it runs its program, so that the guard knows every running child."""

_TAIL_LINES = 12  # enough for the end of a traceback
_END_SECONDS = 1.0  # between SIGTERM and SIGKILL at the end of the run
_LONGEST_LINE_BYTES = 65536  # a longer line is printed in pieces
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 10.0, 300.0  # the kubelet's, after a first restart at once
_LONG_RUN_SECONDS = 600.0  # after which the kubelet begins anew
_LAST_OUTPUT_SECONDS = 1.0  # to read what a process wrote just before it ended


class ProcessError(CortexError):
    """A process could not be started, or ended too early."""


@dataclass(frozen=True)
class Command:
    """How to start a process.

    `name` labels its lines, `read_line` formats them, and `title` is its name in messages. `clean_up` is the
    command line that ends what may be left of it, if signals do not.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    title: str = ""
    read_line: Callable[[str], str] = str
    clean_up: Sequence[str] = ()

    def __str__(self) -> str:
        return self.title or self.name


class Child:
    """A process and the last lines it wrote. A `lasting` one must not end by itself."""

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
        """Done when the process and its output have ended; its result is the exit code."""

    def last_lines(self) -> str:
        """Return the last lines, each indented and with the name of the process."""
        if not self._tail:
            return "\n  (it wrote nothing)"
        return "".join(f"\n  {self.command.name} | {line}" for line in self._tail)

    def tail(self) -> list[str]:
        """Return the last lines."""
        return list(self._tail)

    def close(self) -> None:
        """Stop reading its output; processes that it left behind may still write."""
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
    """Starts children, prints their output, and stops them. The context manager stops all that are left.

    The guard removes the folder `scratch` at the end.
    """

    def __init__(self, output: Output, scratch: Path) -> None:
        self._output = output
        self._scratch = scratch
        self._children: dict[str, Child] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> "Processes":
        self._guard = subprocess.Popen(  # noqa: ASYNC220, S603 (returns at once; runs the constant above)
            [sys.executable, "-I", "-S", "-c", _GUARD, self._scratch], stdin=subprocess.PIPE, process_group=0
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_end(list(self._keepers))
        await self.stop(list(self._children), _END_SECONDS)
        for child in self._children.values():
            with suppress(ProcessLookupError, PermissionError):  # the whole group has ended
                os.killpg(child.process.pid, signal.SIGKILL)
        self._guard.communicate()
        for child in self._children.values():
            await child.exited
            child.close()

    async def start(self, command: Command, *, lasting: bool = True) -> Child:
        """Start a process; raises `ProcessError` when there is no such program."""
        _check_program(command)
        if command.clean_up:
            self._tell_guard("!" + json.dumps(list(command.clean_up)))
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
        """Run a process to its end; raises `ProcessError` unless its exit code is 0."""
        child = await self.start(command, lasting=False)
        await asyncio.wait([child.exited])  # unlike await, does not cancel the task when this is cancelled
        self._forget(child)
        code = child.exited.result()
        if code != 0:
            raise ProcessError(_ended(child, code))

    def keep(self, command: Command) -> None:
        """From now on start a process again when it ends, as the kubelet does with a container."""
        self._keepers[command.name] = asyncio.create_task(self._keep(command))

    async def _keep(self, command: Command) -> None:
        """At once, after 10 s, after 20 s and so on to 5 min; anew when it has run for 10 min."""
        pause = 0.0
        while True:
            child, begun = self._children[command.name], time.monotonic()
            await asyncio.wait([child.exited])
            with suppress(ProcessLookupError, PermissionError):  # what it has left behind ends with a container
                os.killpg(child.process.pid, signal.SIGKILL)
            self._forget(child)
            child.close()
            if time.monotonic() - begun >= _LONG_RUN_SECONDS:
                pause = 0.0
            when = f"in {pause:g} s" if pause else "at once"
            how = _ending(child.exited.result())
            self._output.plain(f"{command} {how}; it is started again {when}, as in the cluster")
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, _FIRST_BACKOFF_SECONDS), _LONGEST_BACKOFF_SECONDS)
            await self.start(command)

    def _let_end(self, names: Sequence[str]) -> None:
        """Do not start these again."""
        for name in names:
            if keeper := self._keepers.pop(name, None):
                keeper.cancel()

    async def first_exit(self) -> None:
        """Wait until a lasting process ends that is not kept, then raise a `ProcessError` that names it.

        One that is kept, but cannot be started again, counts too.
        """
        children = {
            child.exited: child
            for name, child in self._children.items()
            if child.lasting and name not in self._keepers
        }
        waited_for: list[asyncio.Task[Any]] = [*children, *self._keepers.values()]
        done, _ = await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        exited = done.pop()
        if exited in children:
            raise ProcessError(_ended(children[exited], exited.result()))
        exited.result()

    def last_lines(self, name: str) -> str:
        """Return the last lines of a process, or nothing when it was not started."""
        return self._children[name].last_lines() if name in self._children else ""

    def tail(self, name: str) -> list[str]:
        """Return the last lines of a process as they are."""
        return self._children[name].tail() if name in self._children else []

    async def stop(self, names: Sequence[str], grace_seconds: float) -> None:
        """Send SIGTERM to each process, as Kubernetes does, and wait; then kill those that are left."""
        self._let_end(names)
        children = [child for name, child in self._children.items() if name in names]
        running = [child for child in children if child.process.returncode is None]
        for child in running:
            child.process.send_signal(signal.SIGTERM)
        if running:
            await asyncio.wait([child.exited for child in running], timeout=grace_seconds)
        self.kill(names)

    def kill(self, names: Sequence[str]) -> None:
        """Kill those of the processes that still run (SIGKILL)."""
        for name, child in self._children.items():
            if name in names and child.process.returncode is None:
                child.process.kill()

    def _forget(self, child: Child) -> None:
        """Do not signal the group of a process that has ended: another process may get its id."""
        del self._children[child.command.name]
        self._tell_guard(f"-{child.process.pid}")

    def _tell_guard(self, line: str) -> None:
        assert self._guard.stdin is not None
        with suppress(BrokenPipeError):
            os.write(self._guard.stdin.fileno(), f"{line}\n".encode())


def _ending(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _ended(child: Child, code: int) -> str:
    how = _ending(code)
    if code == 0:
        how += ", but it must run as long as the API"
    return f"{child.command} {how}; its last lines:{child.last_lines()}"


def _check_program(command: Command) -> None:
    """Raise `ProcessError` when there is no such program; otherwise only the child's output would say so."""
    program = command.argv[0]
    if os.sep in program:
        found = os.access(command.cwd / program, os.X_OK)
    else:
        found = shutil.which(program, path=command.env.get("PATH", os.defpath)) is not None
    if not found:
        raise ProcessError(f"{command} cannot be started: there is no program {program!r} on this machine")
