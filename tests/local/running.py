"""Runs `cortex-async local` as a user does, on free ports, and finds processes that it left behind."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_async_tools.local.emulator import without_aws

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 120.0  # generous: no test requires speed
_MARK = "CORTEX_TEST_RUN"


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


class Local:
    """One run of local mode. All of its processes have a mark in their environment."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, python: str = sys.executable) -> None:
        self._mark = uuid.uuid4().hex
        self.log = ""
        self.process = subprocess.Popen(
            [python, "-m", "cortex_async_tools", "local", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**without_aws(os.environ), **(env or {}), _MARK: self._mark},
        )

    def finish(self) -> "Local":
        """Wait for the end, and keep what it printed."""
        self.out, self.err = self.process.communicate(timeout=DEADLINE_SECONDS)
        self.code = self.process.returncode
        return self

    def read_until(self, text: str) -> None:
        """Read its standard output up to a line with the text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line
            if text in line:
                return
        _, errors = self.process.communicate()
        pytest.fail(f"ended before it printed {text!r}:\n{self.log}{errors}")

    def survivors(self) -> list[int]:
        """Return the processes of this run that still run, including local mode itself."""
        mark = f"{_MARK}={self._mark}".encode()
        return [int(each.name) for each in Path("/proc").glob("[0-9]*") if mark in _environment(each)]

    def assert_nothing_left(self) -> None:
        wait_for(lambda: not self.survivors(), "the end of every process")


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


Start = Callable[..., Local]
Arguments = Callable[..., list[str]]
Write = Callable[..., Path]
