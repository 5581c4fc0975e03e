"""One run of local mode: start everything, wait until it is ready, serve or submit one request, then stop."""

import asyncio
import base64
import copy
import json
import re
import secrets
import shlex
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from cortex_async import smoke
from cortex_async.errors import CortexError
from cortex_async_tools.local import waiting
from cortex_async_tools.local.emulator import CREDENTIALS, EMULATOR, buckets_of, create_bucket
from cortex_async_tools.local.once import Outcome, Payload, outcome_of
from cortex_async_tools.local.output import Output
from cortex_async_tools.local.process import Command, Processes

_GLUE_SECONDS = 120.0  # until all but the user's containers are ready
_STOP_SECONDS = 5.0  # for a process that has no requests in flight

T = TypeVar("T")


class NotReadyError(CortexError):
    """A process was not ready in time."""


@dataclass(frozen=True)
class Plan:
    """What to run; `emulator` is None when the user has another S3 and SQS server.

    `timeout_seconds` is how long the containers may take to be ready once everything else is.
    """

    api: Mapping[str, Any]
    scratch: Path
    emulator: Command | None
    provision: Command
    gateway: Command
    dispatcher: Command
    containers: Sequence[Command]
    timeout_seconds: float

    @property
    def url(self) -> str:
        """URL that requests are posted to."""
        return self._at(self.api["gateway"]["port"], self.api["gateway"]["endpoint"])

    @property
    def gateway_ready_url(self) -> str:
        """URL of the gateway's readiness."""
        return self._at(self.api["gateway"]["port"], "/readyz")

    @property
    def dispatcher_ready_url(self) -> str:
        """URL of the dispatcher's readiness: whether all containers are ready for requests."""
        return self._at(self.api["dispatcher"]["adminPort"], "/readyz")

    @property
    def queue_name(self) -> str:
        """Name of the queue."""
        url = self.api["queue"]["url"]
        return str(url.rpartition("/")[2] if url else self.api["queue"]["name"])

    @property
    def names(self) -> list[str]:
        """Names of all processes, for the output."""
        ours = [self.emulator, self.provision, self.gateway, self.dispatcher]
        return [each.name for each in [*ours, *self.containers] if each is not None]

    def _at(self, port: int, path: str) -> str:
        return f"http://127.0.0.1:{port}{path}"


class Stop:
    """Whether the user has asked the run to end, by which signal, and whether a second time."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self.signal = 0

    def ask(self, number: int) -> None:
        """Ask the run to end; the second time, without waiting for requests in flight."""
        (self.at_once if self.asked.is_set() else self.asked).set()
        self.signal = self.signal or number


class Supervisor:
    """Does work while processes run, and until a signal asks for the end."""

    def __init__(self, processes: Processes, stop: "Stop") -> None:
        self._processes = processes
        self._stop = stop

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        """Do some work; raise `ProcessError` if a process ends before it is done."""
        found = await first_of(work, self._processes.first_exit())
        assert found is not None
        return found[0]

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        found = await first_of(work, self._stop.asked.wait())
        return found[0] if found is not None else None


class Session(Supervisor):
    """Runs a plan."""

    def __init__(self, plan: Plan, output: Output, stop: Stop) -> None:
        self._plan = plan
        self._output = output
        super().__init__(Processes(output, plan.scratch), stop)

    async def serve(self) -> bool:
        """Run until asked to stop; return whether it was ready before that. Raises `CortexError`."""
        async with self._processes, aiohttp.ClientSession() as http:
            ready = await self._unless_stopped(self._get_ready(http)) is not None
            if ready:
                self._greet()
                await self._unless_stopped(self._watched(asyncio.Event().wait()))
                self._output.plain("\nstopping; requests in flight may finish (Ctrl-C again stops at once)")
                await self._drain(http, self._plan.api["pod"]["terminationGracePeriodSeconds"])
            return ready

    async def once(self, payload: Payload) -> Outcome | None:
        """Submit one request and return how it ended, or None when asked to stop first. Raises `CortexError`."""
        async with self._processes, aiohttp.ClientSession() as http:
            outcome = await self._unless_stopped(self._submit(http, payload))
            if outcome is not None:
                await self._drain(http, _STOP_SECONDS)
            return outcome

    async def _submit(self, http: aiohttp.ClientSession, payload: Payload) -> Outcome:
        await self._get_ready(http)
        url = self._plan.url
        request_id = await self._watched(smoke.submit(http, url, payload.body, payload.content_type))
        self._output.plain(f"submitted {request_id}")
        return outcome_of(await self._watched(smoke.wait_for_result(http, f"{url}/{request_id}")))

    async def _get_ready(self, http: aiohttp.ClientSession) -> bool:
        waiting_for = [EMULATOR]
        seconds = _GLUE_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._start(http, waiting_for)
            seconds = self._plan.timeout_seconds
            async with asyncio.timeout(seconds):
                await self._watched(waiting.wait_until_ready(http, self._plan.dispatcher_ready_url, waiting_for))
        except TimeoutError as error:
            raise NotReadyError(self._not_ready(seconds, waiting_for)) from error
        for container in self._plan.containers:
            self._processes.keep(container)
        return True

    async def _start(self, http: aiohttp.ClientSession, waiting_for: list[str]) -> None:
        """Start everything, and wait for all but the containers; `waiting_for` is kept up to date."""
        plan = self._plan
        endpoint, region = plan.api["aws"]["endpointUrl"], plan.api["aws"]["region"]
        for container in plan.containers:
            await self._processes.start(container)
        if plan.emulator is not None:
            await self._processes.start(plan.emulator)
            await self._watched(waiting.wait_until_answers(http, endpoint))
        for bucket in buckets_of(plan.api, is_emulated=plan.emulator is not None):
            await self._watched(asyncio.to_thread(create_bucket, endpoint, region, bucket, plan.provision.env))
        waiting_for[:] = [plan.provision.name]
        await self._watched(self._processes.run(plan.provision))
        await self._processes.start(plan.gateway)
        await self._processes.start(plan.dispatcher)
        waiting_for[:] = [plan.gateway.name]
        await self._watched(waiting.wait_until_ready(http, plan.gateway_ready_url, waiting_for))
        waiting_for[:] = [plan.dispatcher.name]
        await self._watched(waiting.wait_until_answers(http, plan.dispatcher_ready_url))

    def _not_ready(self, seconds: float, waiting_for: Sequence[str]) -> str:
        named = [name for name in self._plan.names if any(re.match(f"{name}(:|$)", each) for each in waiting_for)]
        names = named or [each.name for each in self._plan.containers]
        return (
            f"not ready after {seconds:g} s (--timeout S gives containers more); still waiting for "
            f"{', '.join(waiting_for)}; last lines:{''.join(map(self._processes.last_lines, names))}"
        )

    def _greet(self) -> None:
        url = self._plan.url
        submit = f"curl -s -H 'Content-Type: application/json' -d '{{}}' {shlex.quote(url)}"
        self._output.plain(f"\nready: {url}\n")
        self._output.plain(f"  submit a request:    ID=$({submit} | cut -d '\"' -f 4); echo $ID")
        self._output.plain(f"  look at its result:  curl -s {shlex.quote(url)}/$ID")
        keys = [f"{name}={CREDENTIALS[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        config = ["--config", str(self._plan.scratch / "api.json")]
        letters = [*(keys if self._plan.emulator else []), "cortex-async", "dead-letters", "list", *config]
        self._output.plain(f"  look for what died:  {shlex.join(letters)}")
        self._output.plain("\nCtrl-C stops everything\n")

    async def _drain(self, http: aiohttp.ClientSession, grace: float) -> None:
        """Stop so that requests in flight can finish: first the dispatcher, then what it needs."""

        async def in_order() -> None:
            dispatcher = [self._plan.dispatcher.name]
            await first_of(self._processes.stop(dispatcher, grace), self._until_none_in_flight(http))
            self._processes.kill(dispatcher)
            await self._processes.stop([self._plan.gateway.name], _STOP_SECONDS)
            await self._processes.stop([each.name for each in self._plan.containers], _STOP_SECONDS)
            self._processes.kill([EMULATOR])  # it stores nothing, and SIGTERM would wait for open connections

        await first_of(in_order(), self._stop.at_once.wait())

    async def _until_none_in_flight(self, http: aiohttp.ClientSession) -> None:
        """Wait until no message is in flight. With the user's own queue, wait forever.

        The dispatcher would wait up to 20 s more for its open receive. There is no need: the embedded queue, and
        any message in it, ends with the run.
        """
        if self._plan.emulator is None:
            await asyncio.Event().wait()
        await waiting.wait_until_none_in_flight(http, self._plan.api["aws"]["endpointUrl"], self._plan.queue_name)


async def first_of(work: Coroutine[Any, Any, T], other: Coroutine[Any, Any, Any]) -> tuple[T] | None:
    """Return the result of `work` in a tuple, or None when `other` ends first; raise the error of the first."""
    tasks = asyncio.create_task(work), asyncio.create_task(other)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            return (tasks[0].result(),)
        tasks[1].result()
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def write_scratch(scratch: Path, api: Mapping[str, Any], cli_yaml: str) -> None:
    """Write what a pod has mounted: `api.json`, `mnt/`, `cortex/client/cli.yaml`, a secret for webhooks."""
    (scratch / "mnt").mkdir()
    (scratch / "cortex" / "client").mkdir(parents=True)
    (scratch / "cortex" / "client" / "cli.yaml").write_text(cli_yaml, encoding="utf-8")
    document = copy.deepcopy(dict(api))
    if document["gateway"]["webhooks"]:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        folder = scratch / "webhooks"
        folder.mkdir()
        (folder / "local").write_text(secret, encoding="utf-8")
        document["gateway"]["webhooks"]["folder"] = str(folder)
        print(f"webhooks are signed by the secret {secret}", file=sys.stderr)
    (scratch / "api.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
