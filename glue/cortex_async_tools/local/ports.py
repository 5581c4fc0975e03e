"""Ports of this machine: which are taken, and free ones."""

import errno
import os
import socket
from collections.abc import Collection, Iterator, Sequence

from cortex_async.errors import CortexError


class PortTakenError(CortexError):
    """A port that local mode needs cannot be listened on."""


_FIRST, _COUNT = 20_000, 12_768
"""They end where Linux begins to take the ports of outgoing connections from."""

_SHARE = 4
"""Ports from where one process starts to look to where the next does; a run takes three at most."""


def free_ports(named: Collection[int]) -> Iterator[int]:
    """Yield ports that nothing listens on, each once and none that is named; raises `PortTakenError`.

    Each process starts at a place of its own, so that two runs at once do not choose the same.
    """
    start = os.getpid() * _SHARE
    for step in range(_COUNT):
        port = _FIRST + (start + step) % _COUNT
        if port not in named and _obstacle(port) is None:
            yield port
    raise PortTakenError(f"found no free port from {_FIRST} to {_FIRST + _COUNT - 1}")


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
