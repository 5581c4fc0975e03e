"""An API that nobody calls, beside everything else that is measured: its calls to AWS, and its memory."""

import asyncio
import time
from collections.abc import Mapping

from bench.processes import BenchStack
from bench.usage import memory_mb

_LONG_POLL_SECONDS = 20  # a whole number of these is waited for, or the count would be off by a part of a call


class IdleApi:
    """A gateway, a dispatcher and a container, left alone from the making on."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        stack.provision()
        stack.web_server()
        self._gateway, self._dispatcher = stack.gateway(), stack.dispatcher()
        time.sleep(0.5)  # so that start-up's own calls are made
        stack.emulator.reset()
        self._since = time.monotonic()

    async def samples(self) -> dict[str, list[float]]:
        """Return calls a minute, and memory in MB."""
        elapsed = time.monotonic() - self._since
        window = max(1, -(-elapsed // _LONG_POLL_SECONDS)) * _LONG_POLL_SECONDS
        await asyncio.sleep(window - elapsed)
        calls = _total(self._stack.emulator.reset())
        return {
            "dispatcher_idle_memory": [memory_mb(self._dispatcher.pid)],
            "gateway_idle_memory": [memory_mb(self._gateway.pid)],
            "idle_calls": [calls * 60 / window] if self._stack.emulator.counts_calls else [],
        }


def _total(counts: Mapping[str, Mapping[str, int]]) -> int:
    return sum(count["calls"] for count in counts.values())
