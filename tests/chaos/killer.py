"""The hand that kills dispatchers, restarts the web server and sends the proxy away."""

import asyncio
import random
import signal
import time
from collections import Counter

import aiohttp

from chaos.stack import ChaosStack
from support.processes import Process

_WEB_SERVER_EVERY = 4  # kills
_AWAY_EVERY = 9
_STARTING_SECONDS = 10.0  # so young a process may not have set its signal handlers yet


class Killer:
    """Kills every `interval` seconds until cancelled; what was killed is started again at once."""

    def __init__(self, stack: ChaosStack, http: aiohttp.ClientSession, seed: str, interval: float) -> None:
        self._stack = stack
        self._http = http
        self._chance = random.Random(f"{seed}/killer")
        self._interval = interval
        self._draining: list[tuple[Process, float]] = []
        self._dispatchers: list[Process] = []
        self._started: dict[int, float] = {}  # by pid, time.monotonic
        self.counts: Counter[str] = Counter()
        self.bad_exits: list[str] = []

    def start(self, dispatchers: int) -> None:
        """Start the first dispatchers."""
        self._dispatchers = [self._begin() for _ in range(dispatchers)]

    def _begin(self) -> Process:
        process = self._stack.dispatcher(wait=False)
        self._started[process.pid] = time.monotonic()
        return process

    async def run(self) -> None:
        """Kill until cancelled."""
        number = 0
        while True:
            await asyncio.sleep(self._interval)
            number += 1
            self._kill_one(number)
            if number % _WEB_SERVER_EVERY == 0:
                self._stack.restart_web_server()
                self.counts["web server restarts"] += 1
            if number % _AWAY_EVERY == 0:
                await self._send_away("503" if number % (2 * _AWAY_EVERY) == 0 else "refuse")
            self.check()

    def check(self) -> None:
        """Look at the dispatchers: none may end by itself, and after SIGTERM the exit code is 0."""
        for process, age in list(self._draining):
            if process.is_running():
                continue
            self._draining.remove((process, age))
            code = process.wait()
            if code == -signal.SIGTERM and age < _STARTING_SECONDS:
                self.counts["SIGTERM before it had started"] += 1
            elif code != 0:
                self.bad_exits.append(f"exit code {code} after SIGTERM")
        for index, process in enumerate(self._dispatchers):
            if not process.is_running():
                self.bad_exits.append(f"a dispatcher ended by itself, exit code {process.wait()}")
                self._dispatchers[index] = self._begin()

    def _kill_one(self, number: int) -> None:
        index = self._chance.randrange(len(self._dispatchers))
        victim = self._dispatchers[index]
        if number % 2:
            victim.kill()
            self.counts["SIGKILL"] += 1
        else:
            victim.signal(signal.SIGTERM)
            self._draining.append((victim, time.monotonic() - self._started[victim.pid]))
            self.counts["SIGTERM"] += 1
        self._dispatchers[index] = self._begin()

    async def _send_away(self, how: str) -> None:
        seconds = self._chance.uniform(1, 5)
        self.counts["outages of S3 and SQS"] += 1
        async with self._http.post(f"{self._stack.proxy_admin}/away?seconds={seconds}&how={how}") as response:
            await response.read()
