"""The whole benchmark: starts the processes, takes the samples, and ends everything it started."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import busy, lint, recovery, scale
from bench.idle import IdleApi
from bench.load import Round, run_round
from bench.processes import BenchStack, Endpoint, StandIn
from bench.single import delays_ms, large_payload, upload_seconds
from bench.usage import import_cpu_seconds

_STARTS = 7
_SUBMITS = 3  # of each large size


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
            await self._recovery()
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
            imports = import_cpu_seconds("aiohttp.web")
            for command in ("gateway", "dispatcher"):
                seconds, cpu = stack.start(command)
                self.samples[f"{command}_start"].append(seconds)
                self.samples["start_cpu_ratio"].append(cpu / imports)

    async def _busy(self) -> None:
        if not self._plan.scale or self._plan.url:
            return
        self._say("how busy the container is kept")
        with self._endpoint() as endpoint:
            self.busy = await busy.points(endpoint, self._folder)
        one_pod = [each for each in self.busy if each.pods == 1]
        for work_ms in (20, 50):
            shares = [each.of_possible for each in one_pod if each.work_ms == work_ms and each.call_ms >= 15]
            self.samples[f"busy_{work_ms}"].append(min(shares))
        one_slot = [each.calls.sqs for each in one_pod if each.slots == 1 and each.work_ms <= 50]
        self.samples["sqs_one_slot"].append(max(one_slot))
        long = [each for each in self.busy if each.work_ms == busy.LONG_MS]
        self.samples["idle_beside_long"].append(max(each.idle_seconds for each in long))
        self.samples["dollars_long"].append(long[-1].calls.dollars_a_million)  # of most requests

    async def _recovery(self) -> None:
        if not self._plan.scale or self._plan.url:
            return
        self._say("an outage of SQS, and the end of a dispatcher")
        stand_in = StandIn(self._folder)
        try:
            first, longer = await recovery.after_outage(stand_in, self._folder)
            self.samples["outage_first"].append(first)
            self.samples["outage_longer"].append(longer)
            self.samples["kill_again"].append(await recovery.after_kill(stand_in, self._folder / "kill"))
        finally:
            stand_in.process.kill()

    async def _large(self) -> None:
        for mebibytes in (*[100] * _SUBMITS, *[self._plan.large_mib] * _SUBMITS):
            self._say(f"one payload of {mebibytes} MiB, first by boto3")
            with self._endpoint() as endpoint:
                alone = upload_seconds(endpoint, mebibytes)
            with (
                self._endpoint() as endpoint,
                self._stack(endpoint, f"large-{mebibytes}", limit_mib=mebibytes) as stack,
            ):
                large = await large_payload(stack, mebibytes)
            self.samples["gateway_peak_memory"].append(large.gateway_memory)
            self.samples["dispatcher_peak_memory"].append(large.dispatcher_memory)
            self.samples[f"large_submit_{mebibytes}"].append(large.submit_seconds / alone)

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
