"""The whole benchmark: starts the processes, takes the samples, and ends everything it started."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import busy, lint, scale
from bench.idle import IdleApi
from bench.load import Round, run_round
from bench.processes import BenchStack, Endpoint, StandIn
from bench.single import delays_ms, peak_memory_mb

_STARTS = 7


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how often; `url` names a server to use instead of the stand-in."""

    url: str | None
    latency_ms: float
    rounds: int
    requests: int
    delays: int
    large_mib: int
    scale: bool


class Bench:
    """Collects samples by the key of their budget."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self.samples: dict[str, list[float]] = defaultdict(list)
        self.rounds: list[Round] = []
        self.points: list[scale.Point] = []
        self.busy: list[busy.Point] = []

    async def run(self) -> None:
        """Measure everything in turn."""
        plan = self._plan
        with self._endpoint() as quiet, self._stack(quiet, "idle") as alone:
            self._say("an idle API, from now on")
            idle = IdleApi(alone)
            with self._endpoint() as endpoint, self._stack(endpoint, "load", 100) as stack:
                await self._load(stack)
                await self._one_by_one(endpoint)
                self._starts(stack)
            self._say("lint")
            for _ in range(plan.rounds):
                self.samples["lint"].append(lint.seconds(self._folder / "lint"))
            if plan.scale:
                self._say("other sizes")
                with self._endpoint() as endpoint:
                    endpoint.set_latency(plan.latency_ms)
                    self.points = await scale.points(endpoint, self._folder)
            await self._busy()
            await self._large()
            self._say("the end of the idle API's last minute")
            self.samples.update(await idle.samples())

    async def _load(self, stack: BenchStack) -> None:
        plan = self._plan
        stack.provision()
        stack.web_server()
        gateway, dispatcher = stack.gateway(), stack.dispatcher()
        stack.emulator.set_latency(plan.latency_ms)
        payload = scale.json_of_size(1_000)
        self._say("load: warm-up")
        await run_round(stack, gateway, [dispatcher], payload, plan.requests // 2)
        for number in range(plan.rounds):
            self._say(f"load: round {number + 1} of {plan.rounds}")
            measured = await run_round(stack, gateway, [dispatcher], payload, plan.requests)
            self.rounds.append(measured)
            self._take(measured)
        stack.emulator.set_latency(0)
        for process in (gateway, dispatcher):
            stack.end(process)

    def _take(self, measured: Round) -> None:
        self.samples["submit_cpu"].append(measured.submit_cpu_ms)
        self.samples["poll_cpu"].append(measured.poll_cpu_ms)
        self.samples["dispatcher_cpu"].append(measured.dispatcher_cpu_ms)
        self.samples["dispatched"].append(measured.dispatched_per_second)
        if measured.calls is not None:
            self.samples["s3_put"].append(measured.calls.put)
            self.samples["s3_get"].append(measured.calls.get)
            self.samples["sqs"].append(measured.calls.sqs)
            self.samples["dollars"].append(measured.calls.dollars_a_million)

    async def _one_by_one(self, endpoint: Endpoint) -> None:
        with self._stack(endpoint, "single") as stack:
            stack.all()
            await delays_ms(stack, 20)
            for number in range(self._plan.rounds):
                self._say(f"single requests: round {number + 1} of {self._plan.rounds}")
                delays = await delays_ms(stack, self._plan.delays)
                self.samples["delay_p99"].append(statistics.quantiles(delays, n=100)[98])

    def _starts(self, stack: BenchStack) -> None:
        self._say("starts")
        for _ in range(_STARTS):
            self.samples["gateway_start"].append(stack.seconds_to_ready("gateway"))
            self.samples["dispatcher_start"].append(stack.seconds_to_ready("dispatcher"))

    async def _busy(self) -> None:
        if not self._plan.scale or self._plan.url:
            return
        self._say("how busy the container is kept")
        with self._endpoint() as endpoint:
            self.busy = await busy.points(endpoint, self._folder)
        for work_ms in (20, 50):
            shares = [100 * each.share for each in self.busy if each.work_ms == work_ms and each.call_ms >= 15]
            self.samples[f"busy_{work_ms}"].append(min(shares))
        one_slot = [each.sqs for each in self.busy if each.slots == 1 and each.work_ms <= 50]
        self.samples["sqs_one_slot"].append(max(one_slot))

    async def _large(self) -> None:
        self._say(f"one payload of {self._plan.large_mib} MiB")
        with self._endpoint() as endpoint, self._stack(endpoint, "large", limit_mib=self._plan.large_mib) as stack:
            gateway, dispatcher = await peak_memory_mb(stack, self._plan.large_mib)
        self.samples["gateway_peak_memory"].append(gateway)
        self.samples["dispatcher_peak_memory"].append(dispatcher)

    @contextmanager
    def _endpoint(self) -> Iterator[Endpoint]:
        if self._plan.url:
            yield Endpoint(self._plan.url)
            return
        stand_in = StandIn(self._folder)
        try:
            yield stand_in
        finally:
            stand_in.process.kill()

    @contextmanager
    def _stack(
        self, endpoint: Endpoint, name: str, max_concurrency: int = 4, limit_mib: int = 64
    ) -> Iterator[BenchStack]:
        changes = {"pod": {"maxConcurrency": max_concurrency}, "gateway": {"maxPayloadMiB": limit_mib}}
        stack = BenchStack(endpoint, self._folder / name, changes)
        try:
            yield stack
        finally:
            stack.stop()
