"""An event loop whose time passes only when every task waits: a timeout of 30 s takes no time, and is exact.

For tests without sockets and threads: whoever waits for those would see the time fly.
"""

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """Its clock starts at 0 and jumps to the next timer."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.now


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise AssertionError("every task waits for something that will never come")
        if not events and timeout:
            self._loop.now += timeout
        return events


def on_virtual_clock(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on a loop of its own with a virtual clock."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


async def settled() -> None:
    """Let every task run until it waits: not even the shortest timer ends meanwhile."""
    for _ in range(100):
        await asyncio.sleep(0)


async def never(*_: object) -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


async def within(seconds: float, what: Awaitable[Any]) -> Any:
    """Await, for so long at the most by the loop's clock."""
    async with asyncio.timeout(seconds):
        return await what
