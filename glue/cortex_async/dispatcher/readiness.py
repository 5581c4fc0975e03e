"""Readiness of the pod, probed from inside it: nothing is received until every probe passes."""

import asyncio
import logging

import aiohttp
from yarl import URL

from cortex_async import limits
from cortex_async.config import ProbeConfig

log = logging.getLogger(__name__)


class Readiness:
    """Runs the probes; `wait` returns once all of them pass."""

    def __init__(self, probes: tuple[ProbeConfig, ...], http: aiohttp.ClientSession) -> None:
        self._http = http
        self._probes = probes
        self._failing = set(probes)
        self._ready = asyncio.Event()
        self._suspected = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether every probe passes."""
        return self._ready.is_set()

    @property
    def waiting_for(self) -> list[str]:
        """The probes that do not pass, in words."""
        return [_name(probe) for probe in self._probes if probe in self._failing]

    async def wait(self) -> None:
        """Return once every probe passes."""
        await self._ready.wait()

    def suspect(self) -> None:
        """Say that a connection was refused: every probe has to pass again."""
        self._failing = set(self._probes)
        self._ready.clear()
        self._suspected.set()
        self._suspected = asyncio.Event()

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as group:
            for probe in self._probes:
                group.create_task(self._watch(probe))

    async def _watch(self, probe: ProbeConfig) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        passed = failed = 0
        interval = limits.FIRST_PROBE_SECONDS
        while True:
            suspected = self._suspected
            if await self._passes(probe):
                passed, failed = passed + 1, 0
            else:
                passed, failed = 0, failed + 1
            if suspected.is_set():  # asked anew while this one was under way
                passed = failed = 0
                interval = limits.FIRST_PROBE_SECONDS
            elif passed >= probe.success_threshold:
                self._set(probe, passes=True)
                interval = probe.period_seconds
            elif failed >= probe.failure_threshold:
                self._set(probe, passes=False)
            if probe in self._failing:
                interval = min(2 * interval, probe.period_seconds)
            try:
                await asyncio.wait_for(self._suspected.wait(), interval)
                passed = failed = 0
                interval = limits.FIRST_PROBE_SECONDS
            except TimeoutError:
                pass

    def _set(self, probe: ProbeConfig, *, passes: bool) -> None:
        if passes == (probe not in self._failing):
            return
        (self._failing.discard if passes else self._failing.add)(probe)
        log.info("probe passes" if passes else "probe fails", extra={"probe": _name(probe)})
        if self._failing:
            self._ready.clear()
        else:
            self._ready.set()

    async def _passes(self, probe: ProbeConfig) -> bool:
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                if probe.type == "http_get":
                    return await self._get(probe)
                _, writer = await asyncio.open_connection("127.0.0.1", probe.port)
                writer.close()
                return True
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False

    async def _get(self, probe: ProbeConfig) -> bool:
        url = URL(f"http://127.0.0.1:{probe.port}{probe.path}", encoded=True)
        async with self._http.get(url, allow_redirects=False) as response:
            return 200 <= response.status < 400  # as the kubelet counts


def _name(probe: ProbeConfig) -> str:
    what = f"http_get :{probe.port}{probe.path}" if probe.type == "http_get" else f"tcp_socket :{probe.port}"
    return f"{probe.container}: {what}" if probe.container else what
