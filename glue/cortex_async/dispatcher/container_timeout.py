"""The time that a container may take for a request, which does not run while the bucket is waited for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress


class ContainerTimeout:
    """Pauses and resumes an `asyncio.Timeout`; pauses may overlap."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._pauses = 0
        self._left = 0.0

    def stop(self) -> None:
        """Let no more time pass: the container has done its part."""
        self._pause()

    def end(self) -> None:
        """Let the time be up, as soon as it runs."""
        self._left = 0.0
        if not self._pauses:
            self._reschedule(asyncio.get_running_loop().time())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no time pass for as long as this lasts."""
        self._pause()
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._reschedule(asyncio.get_running_loop().time() + self._left)

    async def while_fetching(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass on pieces that come from the bucket: waiting for one is not the container's time."""
        while True:
            with self.paused():
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    async def while_storing(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass on pieces that go to the bucket: storing one is not the container's time."""
        async for piece in pieces:
            with self.paused():
                yield piece

    def _pause(self) -> None:
        when = self._timeout.when()
        if when is not None:
            self._left = when - asyncio.get_running_loop().time()
        self._pauses += 1
        self._reschedule(None)

    def _reschedule(self, when: float | None) -> None:
        with suppress(RuntimeError):  # the time is up, or the attempt over
            self._timeout.reschedule(when)
