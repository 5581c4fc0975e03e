"""The hand that kills dispatchers and web servers, sends the proxy away and turns its clock; and the kubelet.

It kills a dispatcher only while all are ready: what has not started has nothing to lose.
"""

import asyncio
import random
import signal
import time
from collections import Counter

import aiohttp

from chaos.stack import ChaosStack, Pod
from support.stack import readiness

_WEB_SERVER_EVERY = 4  # kills
_AWAY_EVERY = 9
_CLOCK_EVERY = 5
_CLOCKS = (1200.0, 0.0, -1200.0)  # seconds that AWS's clock is ahead
_READY_SECONDS = 30.0
_RESTART_SECONDS = 0.2  # between two looks for web servers that have ended
_STARTING_SECONDS = 10.0  # so young a process may not have set its signal handlers yet


class Killer:
    """Kills every `interval` seconds until cancelled; what was killed is started again at once."""

    def __init__(self, stack: ChaosStack, http: aiohttp.ClientSession, seed: str, interval: float) -> None:
        self._stack = stack
        self._http = http
        self._chance = random.Random(f"{seed}/killer")
        self._interval = interval
        self._draining: list[tuple[Pod, float]] = []
        self._pods: list[Pod] = []
        self._started: dict[int, float] = {}  # by pid, time.monotonic
        self.counts: Counter[str] = Counter()
        self.bad_exits: list[str] = []

    def start(self, dispatchers: int) -> None:
        """Start the first dispatchers, each with a web server."""
        self._pods = [self._begin() for _ in range(dispatchers)]

    def _begin(self) -> Pod:
        pod = self._stack.pod()
        self._started[pod.dispatcher.pid] = time.monotonic()
        return pod

    async def restart(self) -> None:
        """Start web servers that have ended again, as the kubelet does, until cancelled."""
        while True:
            for pod in [*self._pods, *(draining for draining, _ in self._draining)]:
                if not pod.web.is_running():
                    pod.web = self._stack.web_server_at(pod.web_port)
                    self.counts["web servers started again"] += 1
            await asyncio.sleep(_RESTART_SECONDS)

    async def _until_ready(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        for pod in self._pods:
            while time.monotonic() < end and (await asyncio.to_thread(readiness, pod.admin_port))[0] != 200:
                await asyncio.sleep(0.1)
                self.check()

    async def run(self) -> None:
        """Kill until cancelled."""
        number = 0
        while True:
            await asyncio.sleep(self._interval)
            await self._until_ready()
            number += 1
            self._kill_one(number)
            if number % _WEB_SERVER_EVERY == 0:
                self._chance.choice(self._pods).web.kill()
                self.counts["kills of web servers"] += 1
            if number % _CLOCK_EVERY == 0:
                await self._turn_clock(_CLOCKS[number // _CLOCK_EVERY % len(_CLOCKS)])
            if number % _AWAY_EVERY == 0:
                await self._send_away("503" if number % (2 * _AWAY_EVERY) == 0 else "refuse")
            self.check()

    def check(self) -> None:
        """Look at the dispatchers: none may end by itself, and after SIGTERM the exit code is 0."""
        for pod, age in list(self._draining):
            if pod.dispatcher.is_running():
                continue
            self._draining.remove((pod, age))
            pod.web.kill()
            code = pod.dispatcher.wait()
            if code == -signal.SIGTERM and age < _STARTING_SECONDS:
                self.counts["SIGTERM before it had started"] += 1
            elif code != 0:
                self.bad_exits.append(f"exit code {code} after SIGTERM")
        for index, pod in enumerate(self._pods):
            if not pod.dispatcher.is_running():
                self.bad_exits.append(f"a dispatcher ended by itself, exit code {pod.dispatcher.wait()}")
                pod.web.kill()
                self._pods[index] = self._begin()

    def _kill_one(self, number: int) -> None:
        index = self._chance.randrange(len(self._pods))
        victim = self._pods[index]
        if number % 2:
            victim.dispatcher.kill()
            victim.web.kill()
            self.counts["SIGKILL"] += 1
        else:
            victim.dispatcher.signal(signal.SIGTERM)
            age = time.monotonic() - self._started[victim.dispatcher.pid]
            self._draining.append((victim, age))
            self.counts["SIGTERM"] += 1
        self._pods[index] = self._begin()

    async def _turn_clock(self, ahead: float) -> None:
        self.counts["jumps of AWS's clock by 20 minutes"] += 1
        async with self._http.post(f"{self._stack.proxy_admin}/clock?ahead={ahead}") as response:
            await response.read()

    async def _send_away(self, how: str) -> None:
        seconds = self._chance.uniform(1, 5)
        self.counts["outages of S3 and SQS"] += 1
        async with self._http.post(f"{self._stack.proxy_admin}/away?seconds={seconds}&how={how}") as response:
            await response.read()
