"""The time that a container may take for a request, which does not run while the bucket is waited for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress


class Clock:
    """Counts down the container's time, and stands still while one or more wait for the bucket."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._stops = 0
        self._left = 0.0

    def stop(self) -> None:
        """Stand still from now on."""
        when = self._timeout.when()
        if when is not None:
            self._left = when - asyncio.get_running_loop().time()
        self._stops += 1
        self._set(None)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still for as long as this, or another like it, lasts."""
        self.stop()
        try:
            yield
        finally:
            self._stops -= 1
            if not self._stops:
                self._set(asyncio.get_running_loop().time() + self._left)

    def _set(self, when: float | None) -> None:
        with suppress(RuntimeError):  # the time is up, or the exchange over
            self._timeout.reschedule(when)


async def fetched_off_the_clock(pieces: AsyncIterator[bytes], clock: Clock) -> AsyncIterator[bytes]:
    """Pass the pieces on; waiting for one is not the container's time."""
    while True:
        with clock.stopped():
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


async def used_off_the_clock(pieces: AsyncIterator[bytes], clock: Clock) -> AsyncIterator[bytes]:
    """Pass the pieces on; what is done with one is not the container's time, nor what is done after the last."""
    async for piece in pieces:
        with clock.stopped():
            yield piece
    clock.stop()
