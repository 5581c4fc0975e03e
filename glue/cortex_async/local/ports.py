"""Ports of this machine: which are taken, and free ones."""

import errno
import random
import socket
from collections.abc import Sequence

from cortex_async.errors import CortexError


class PortTakenError(CortexError):
    """A port that local mode needs cannot be listened on."""


def free_port() -> int:
    """Return a port that nothing listens on, outside the range that outgoing connections take theirs from."""
    for _ in range(1000):
        port = random.randrange(20_000, 32_768)
        if _obstacle(port) is None:
            return port
    raise PortTakenError("found no free port from 20000 to 32767")


def check_free(ports: Sequence[tuple[int, str]]) -> None:
    """Raise `PortTakenError` when a port is taken or named twice; the text beside each says what it is for."""
    uses: dict[int, str] = {}
    problems: list[str] = []
    for port, use in ports:
        if port in uses:
            problems.append(f"port {port} is asked for twice: for {uses[port]}, and for {use}")
        elif reason := _obstacle(port):
            problems.append(f"port {port}, for {use}, {reason}")
        uses.setdefault(port, use)
    if problems:
        raise PortTakenError("\n  ".join(problems))


def _obstacle(port: int) -> str | None:
    for host in ("127.0.0.1", ""):  # an address alone hides a listener on all of them on macOS, and vice versa
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return "is taken by another process"
                return f"cannot be listened on: {error.strerror}"
    return None
