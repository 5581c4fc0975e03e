"""Processes that a test starts, and that end with it."""

import collections
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

WAIT_SECONDS = 60.0
LONGEST_PAUSE = 0.2  # between two looks; the first are 0.02 s apart


_FIRST, _COUNT = 16_000, 4_000  # below local mode's own choice, and the ports of outgoing connections
_KEPT = 256
_reserved: collections.deque[int] = collections.deque()


def free_port() -> int:
    """Return a TCP port that nothing listens on, and that no other run of tests takes meanwhile.

    A UDP socket of that number, kept open, says so to the others.
    """
    start = random.SystemRandom().randrange(_COUNT)
    for step in range(_COUNT):
        port = _FIRST + (start + step) % _COUNT
        with socket.socket(type=socket.SOCK_DGRAM) as reservation, socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                reservation.bind(("127.0.0.1", port))
                probe.bind(("", port))
            except OSError:
                continue
            _reserved.append(reservation.detach())
        if len(_reserved) > _KEPT:
            os.close(_reserved.popleft())
        return port
    raise AssertionError("no free port")


class Process:
    """One process, its output in a file."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log_file = folder / f"{name}.log"
        with self.log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                argv,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, timeout: float = WAIT_SECONDS) -> int:
        return self._popen.wait(timeout)

    def stop(self, timeout: float = WAIT_SECONDS) -> int:
        """SIGTERM, and the exit code; a process that does not end is killed, and that is an error."""
        if self.is_running():
            self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM:\n{self.log[-4000:]}") from None

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()


def wait_until(what: str, condition: Any, process: Process | None = None, timeout: float = WAIT_SECONDS) -> Any:
    """Poll until `condition()` is true, and return what it returned."""
    end = time.monotonic() + timeout
    pause = 0.02
    while True:
        if process is not None and not process.is_running():
            raise AssertionError(f"{process.name} ended:\n{process.log[-4000:]}")
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            log = process.log[-4000:] if process else ""
            raise AssertionError(f"waited {timeout} s for {what}\n{log}")
        time.sleep(pause)
        pause = min(1.2 * pause, LONGEST_PAUSE)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@functools.cache
def _client(service: str, region: str, url: str) -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
    )


class Emulator:
    """An S3 and SQS server of the tests' own."""

    region = "us-west-2"
    credentials: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), "TMPDIR": str(folder)}
        self.process = Process("emulator", [str(Path(sys.executable).with_name("ministack"))], folder, env)
        wait_until("the emulator", lambda: accepts(self.port), self.process)

    def client(self, service: str, url: str | None = None) -> Any:
        return _client(service, self.region, url or self.url)
