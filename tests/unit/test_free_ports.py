"""Ports that local mode chooses by itself."""

import os
import socket
from itertools import islice

import pytest

from cortex_async_tools.local import ports
from cortex_async_tools.local.ports import PortTakenError, free_ports


@pytest.fixture
def all_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every port seem free, whatever runs on this machine."""
    monkeypatch.setattr(ports, "_obstacle", lambda _: None)


def test_no_port_that_is_named_and_none_twice(all_free: None) -> None:
    chosen = list(islice(free_ports(()), 3))

    others = list(islice(free_ports(chosen), 3))

    assert len({*chosen, *others}) == 6


def test_no_port_that_something_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(ports, "_FIRST", server.getsockname()[1])
        monkeypatch.setattr(ports, "_COUNT", 1)
        with pytest.raises(PortTakenError):
            next(free_ports(()))


def test_runs_at_once_choose_apart(all_free: None, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    for pid in range(40_000, 40_020):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        chosen += islice(free_ports(()), 3)

    assert len(chosen) == len(set(chosen)) == 60


def test_no_port_left_is_told() -> None:
    with pytest.raises(PortTakenError, match="found no free port from 20000 to 32767"):
        next(free_ports(range(20_000, 32_768)))
