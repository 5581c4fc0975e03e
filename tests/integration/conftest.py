"""Fixtures: one emulator a test worker, one stack a test."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from support.processes import Emulator
from support.stack import Client, Stack


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(tmp_path_factory.mktemp("emulator"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.credentials.items():
            patch.setenv(name, value)
        yield running
    running.process.kill()


@pytest.fixture
def make_stack(emulator: Emulator, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make stacks from changes to the usual api.json; what they start ends with the test."""
    stacks: list[Stack] = []

    def make(changes: Mapping[str, Any] | None = None) -> Stack:
        stack = Stack(emulator, tmp_path, changes)
        stacks.append(stack)
        return stack

    yield make
    for stack in stacks:
        stack.stop()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        yield session


@pytest.fixture(scope="session")
def shared_stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(emulator, tmp_path_factory.mktemp("shared"))
    stack.all()
    yield stack
    stack.stop()


@pytest_asyncio.fixture
async def api(shared_stack: Stack, http: aiohttp.ClientSession) -> Client:
    """A client of an API that many tests use: they look at their own requests only, and stop nothing."""
    return Client(shared_stack, http)


@pytest_asyncio.fixture
async def own_api(make_stack: Callable[..., Stack], http: aiohttp.ClientSession) -> Client:
    """A client of an API that only this test uses."""
    stack = make_stack()
    stack.all()
    return Client(stack, http)
