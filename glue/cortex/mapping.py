"""Many calls side by side, a bounded number at a time, with a bar that shows how far they are."""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TextIO

_WIDTH = 30


class Progress:
    """A bar on stderr; `total` is None when it is not known."""

    def __init__(self, total: int | None, shown: bool | None, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() if shown is None else shown
        self._total = total
        self._done = 0

    def step(self) -> None:
        """Count one more."""
        self._done += 1
        if not self._shown:
            return
        if self._total:
            filled = _WIDTH * self._done // self._total
            line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {self._done}/{self._total}"
        else:
            line = f"{self._done} done"
        self._stream.write(f"\r{line}")
        self._stream.flush()

    def end(self) -> None:
        """Leave the bar's line."""
        if self._shown and self._done:
            self._stream.write("\n")
            self._stream.flush()


def size_of(items: Iterable[Any]) -> int | None:
    """Return how many there are, when that can be known without taking them."""
    try:
        return len(items)  # type: ignore[arg-type]
    except TypeError:
        return None


def ordered(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    concurrency: int,
    progress: bool | None,
    return_exceptions: bool,
) -> Iterator[Any]:
    """Yield `function` of each item, in the order of the items; see Client.map."""
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; it must be at least 1")
    return _ordered(function, items, concurrency, Progress(size_of(items), progress), return_exceptions)


def _ordered(
    function: Callable[[Any], Any], items: Iterable[Any], concurrency: int, bar: Progress, return_exceptions: bool
) -> Iterator[Any]:
    waiting: collections.deque[Future[Any]] = collections.deque()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="cortex-map")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * concurrency:
                yield _taken(waiting.popleft(), bar, return_exceptions)
        while waiting:
            yield _taken(waiting.popleft(), bar, return_exceptions)
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=not waiting)
        bar.end()


def _taken(future: Future[Any], bar: Progress, return_exceptions: bool) -> Any:
    error = future.exception()
    bar.step()
    if error is None:
        return future.result()
    if return_exceptions and isinstance(error, Exception):
        return error
    raise error
