"""A run of several APIs: they share emulator, gateway and operator; each has its dispatcher and containers."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from cortex_async_tools.local import waiting
from cortex_async_tools.local.cluster import LocalCluster
from cortex_async_tools.local.emulator import EMULATOR, buckets_of, create_bucket
from cortex_async_tools.local.output import Output
from cortex_async_tools.local.process import Command, Processes
from cortex_async_tools.local.session import NotReadyError, Stop, Supervisor, first_of

_STOP_SECONDS = 5.0  # for a process that has no requests in flight


@dataclass(frozen=True)
class LocalApi:
    """One API: what its glue is told, its Deployment as the chart renders it, and its processes."""

    api: Mapping[str, Any]
    deployment: Mapping[str, Any]
    provision: Command
    dispatcher: Command
    containers: Sequence[Command]

    @property
    def name(self) -> str:
        """Name of the API."""
        return str(self.api["name"])

    @property
    def ready_url(self) -> str:
        """URL of its dispatcher's readiness."""
        return f"http://127.0.0.1:{self.api['dispatcher']['adminPort']}/readyz"


@dataclass(frozen=True)
class FleetPlan:
    """What to run; `emulator` is None when the user has another S3 and SQS server, `operator` without one."""

    apis: Sequence[LocalApi]
    scratch: Path
    emulator: Command | None
    gateway: Command
    gateway_url: str
    gateway_admin_port: int
    operator: Command | None
    operator_url: str | None
    cluster_port: int
    timeout_seconds: float

    @property
    def names(self) -> list[str]:
        """Names of all processes, for the output."""
        of_apis = [each for api in self.apis for each in (api.provision, api.dispatcher, *api.containers)]
        return [each.name for each in (self.emulator, self.gateway, self.operator, *of_apis) if each is not None]


class Fleet(Supervisor):
    """Runs a plan."""

    def __init__(self, plan: FleetPlan, output: Output, stop: Stop) -> None:
        self._plan = plan
        self._output = output
        super().__init__(Processes(output, plan.scratch), stop)
        self._cluster = LocalCluster(self._log)
        for each in plan.apis:
            self._cluster.add(each.api, each.deployment)
        self._cluster.add_gateway(plan.gateway_admin_port)

    async def serve(self) -> bool:
        """Run until asked to stop; return whether all was ready before that. Raises `CortexError`."""
        async with (
            self._processes,
            aiohttp.ClientSession() as http,
            self._cluster.serving(self._plan.cluster_port),
        ):
            ready = await self._unless_stopped(self._get_ready(http)) is not None
            if ready:
                self._greet()
                await self._unless_stopped(self._watched(asyncio.Event().wait()))
                self._output.plain("\nstopping; requests in flight may finish (Ctrl-C again stops at once)")
                await first_of(self._drain(http), self._stop.at_once.wait())
            return ready

    async def _get_ready(self, http: aiohttp.ClientSession) -> bool:
        waiting_for = [EMULATOR]
        try:
            async with asyncio.timeout(self._plan.timeout_seconds):
                await self._start(http, waiting_for)
        except TimeoutError as error:
            lines = "".join(map(self._processes.last_lines, self._plan.names))
            raise NotReadyError(
                f"not ready after {self._plan.timeout_seconds:g} s (--timeout S gives more); still waiting for "
                f"{', '.join(waiting_for)}; last lines:{lines}"
            ) from error
        return True

    async def _start(self, http: aiohttp.ClientSession, waiting_for: list[str]) -> None:
        """Start everything, and wait for it; `waiting_for` is kept up to date."""
        plan = self._plan
        aws = plan.apis[0].api["aws"]
        for api in plan.apis:
            for container in api.containers:
                await self._processes.start(container)
        if plan.emulator is not None:
            await self._processes.start(plan.emulator)
            await self._watched(waiting.wait_until_answers(http, aws["endpointUrl"]))
        env = plan.apis[0].provision.env
        is_emulated = plan.emulator is not None
        buckets = {each for api in plan.apis for each in buckets_of(api.api, is_emulated=is_emulated)}
        for bucket in sorted(buckets):
            await self._watched(asyncio.to_thread(create_bucket, aws["endpointUrl"], aws["region"], bucket, env))
        for api in plan.apis:
            waiting_for[:] = [api.provision.name]
            await self._watched(self._processes.run(api.provision))
            await self._processes.start(api.dispatcher)
        await self._processes.start(plan.gateway)
        if plan.operator is not None:
            await self._processes.start(plan.operator)
            waiting_for[:] = [plan.operator.name]
            await self._watched(waiting.wait_until_answers(http, f"{plan.operator_url}/healthz"))
        waiting_for[:] = [plan.gateway.name]
        await self._watched(waiting.wait_until_ready(http, f"{plan.gateway_url}/readyz", waiting_for))
        for api in plan.apis:
            waiting_for[:] = [api.name]
            await self._watched(waiting.wait_until_ready(http, api.ready_url, waiting_for))
            self._cluster.ready.add(api.name)

    def _greet(self) -> None:
        plan = self._plan
        tell = self._output.plain
        tell("")
        for each in plan.apis:
            tell(f"ready: {plan.gateway_url}{each.api['gateway']['endpoint']}")
        first = shlex.quote(f"{plan.gateway_url}{plan.apis[0].api['gateway']['endpoint']}")
        tell(f"\n  submit a request:    curl -s -H 'Content-Type: application/json' -d '{{}}' {first}")
        tell(f"  look at its result:  curl -s {first}/<id>")
        if plan.operator_url:
            folder = shlex.quote(str(plan.scratch / plan.apis[0].name / "cortex" / "client"))
            tell(f"  list the APIs:       CORTEX_CLI_CONFIG_DIR={folder} cortex get")
            tell(f"  the operator's page: {plan.operator_url}/dashboard")
        tell("\nCtrl-C stops everything\n")

    def _log(self, api: str, container: str) -> list[str]:
        return self._processes.tail(f"{api}/{container}")

    async def _drain(self, http: aiohttp.ClientSession) -> None:
        """Stop so that requests in flight can finish: first the dispatchers, then what they need."""
        plan = self._plan
        await asyncio.gather(*(self._drain_api(http, each) for each in plan.apis))
        rest = [plan.gateway, *([plan.operator] if plan.operator else [])]
        await self._processes.stop([each.name for each in rest], _STOP_SECONDS)
        containers = [each.name for api in plan.apis for each in api.containers]
        await self._processes.stop(containers, _STOP_SECONDS)
        self._processes.kill([EMULATOR])  # it stores nothing, and SIGTERM would wait for open connections

    async def _drain_api(self, http: aiohttp.ClientSession, api: LocalApi) -> None:
        names = [api.dispatcher.name]
        grace = api.api["pod"]["terminationGracePeriodSeconds"]
        if self._plan.emulator is None:
            await self._processes.stop(names, grace)
            return
        queue = str(api.api["queue"]["name"])
        empty = waiting.wait_until_none_in_flight(http, api.api["aws"]["endpointUrl"], queue)
        await first_of(self._processes.stop(names, grace), empty)  # the open receive is not waited for
        self._processes.kill(names)
