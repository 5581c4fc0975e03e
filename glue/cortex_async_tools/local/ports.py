"""Check whether ports are free, and choose free ones."""

import errno
import os
import socket
from collections.abc import Collection, Iterator, Sequence

from cortex_async.errors import CortexError


class PortTakenError(CortexError):
    """A port that local mode needs cannot be listened on."""


_FIRST, _COUNT = 20_000, 12_768
"""The range ends where Linux's range for outgoing connections begins."""

_SHARE = 4
"""The distance between the first ports of two processes with consecutive ids. A run needs at most three."""


def free_ports(named: Collection[int]) -> Iterator[int]:
    """Yield free ports, each once and none of `named`; raises `PortTakenError` when there are no more.

    The first port depends on the process id, so that two runs at the same time choose different ports.
    """
    start = os.getpid() * _SHARE
    for step in range(_COUNT):
        port = _FIRST + (start + step) % _COUNT
        if port not in named and _obstacle(port) is None:
            yield port
    raise PortTakenError(f"found no free port from {_FIRST} to {_FIRST + _COUNT - 1}")


def check_free(ports: Sequence[tuple[int, str]]) -> None:
    """Raise `PortTakenError` when a port is taken or needed twice. Each port comes with what it is for."""
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
    for host in ("127.0.0.1", ""):  # on macOS, each of the two binds may miss a listener on the other
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return "is taken by another process"
                return f"cannot be listened on: {error.strerror}"
    return None
