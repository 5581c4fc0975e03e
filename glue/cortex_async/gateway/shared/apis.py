"""The APIs that are served at this moment: loaded, changed and unloaded as their ConfigMaps come and go."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from cortex_async import logs
from cortex_async.aws.client import AwsSession
from cortex_async.backoff import PATIENT
from cortex_async.config import ApiConfig
from cortex_async.gateway.app import Gateway
from cortex_async.gateway.metrics import GatewayMetrics
from cortex_async.gateway.scaling import Sampler
from cortex_async.gateway.shared.choice import Candidate, Key, choose, read
from cortex_async.gateway.shared.watch import Found
from cortex_async.metrics import AwsCalls, Reading
from cortex_async.queue.sqs_queue import SqsQueue
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.s3_store import S3Store

log = logging.getLogger(__name__)


class Counters:
    """What is measured of an API, for as long as its ConfigMap is there."""

    def __init__(self, config: ApiConfig) -> None:
        self.aws_calls = AwsCalls()
        self.gateway = GatewayMetrics(Sampler(config.scaling.window_seconds, config.scaling.target_in_flight))

    @property
    def readings(self) -> Sequence[Reading]:
        """All of them."""
        return [self.aws_calls.reading, *self.gateway.readings]


class Served(Protocol):
    """An API that is served."""

    namespace: str
    config: ApiConfig
    counters: Counters
    gateway: Gateway
    application: web.Application

    def close(self) -> None:
        """Let go of it; the requests that it has are finished."""
        ...


@dataclass
class Opener:
    """Opens APIs: all share connections and credentials, and the memory for requests."""

    session: AwsSession
    budget: MemoryBudget
    stall_seconds: float

    def open(self, namespace: str, config: ApiConfig, counters: Counters) -> "ServedApi":
        """Serve an API; its queue is looked up beside."""
        session = AwsSession(config.aws, counters.aws_calls.observe, beside=self.session)
        store = S3Store.open(session, config, PATIENT, self.budget)
        gateway = Gateway(config, store, self.stall_seconds, self.budget, counters.gateway)
        return ServedApi(namespace, config, counters, gateway, session)


class ServedApi:
    """An API that is served, and what runs for it."""

    def __init__(
        self, namespace: str, config: ApiConfig, counters: Counters, gateway: Gateway, session: AwsSession
    ) -> None:
        self.namespace = namespace
        self.config = config
        self.counters = counters
        self.gateway = gateway
        self.application = gateway.application()
        self.application.freeze()  # its routes are complete; it has no server of its own, which would do that
        self._session = session
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(_tell_defect)

    async def _run(self) -> None:
        logs.about_api(self.config.name)
        self.gateway.queue = await SqsQueue.open(self._session, self.config, PATIENT)
        if self.config.gateway.max_queued is not None:
            self.counters.gateway.sampler.latest()  # so that it is sampled before the first submission
        await self.counters.gateway.sampler.run(self.gateway.queue.depth)

    def close(self) -> None:
        """Let go of it; the requests that it has are finished."""
        self._running.cancel()
        self.gateway.stop_waiting()


def _tell_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("an API met a defect", exc_info=error)


@dataclass
class Apis:
    """All of them (a `watch.Listener`)."""

    open: Callable[[str, ApiConfig, Counters], Served]
    refused: Mapping[Key, str] = field(default_factory=dict)
    _candidates: dict[Key, Candidate] = field(default_factory=dict)
    _served: dict[Key, Served] = field(default_factory=dict)
    _by_path: dict[str, Served] = field(default_factory=dict)
    _heard_of: set[str | None] = field(default_factory=set)

    def at(self, path: str) -> Served | None:
        """Return the API whose endpoint that path is."""
        return self._by_path.get(path)

    def named(self, namespace: str, name: str) -> Served | None:
        """Return an API by its name."""
        return next((each for each in self.all() if (each.namespace, each.config.name) == (namespace, name)), None)

    def all(self) -> Iterable[Served]:
        """Return every one."""
        return self._served.values()

    def is_known(self, namespaces: Iterable[str | None]) -> bool:
        """Whether all of these have been listed."""
        return self._heard_of.issuperset(namespaces)

    def listed(self, namespace: str | None, found: Sequence[Found]) -> None:
        """Take over what there is."""
        self._heard_of.add(namespace)
        for key in [key for key in self._candidates if namespace in (None, key[0])]:
            del self._candidates[key]
        self._candidates |= {(each.namespace, each.name): read(each) for each in found}
        self._settle()

    def changed(self, found: Found) -> None:
        """Take over one that is new, or has changed."""
        self._candidates[found.namespace, found.name] = read(found)
        self._settle()

    def deleted(self, found: Found) -> None:
        """Forget one."""
        self._candidates.pop((found.namespace, found.name), None)
        self._settle()

    def close(self) -> None:
        """Let go of all."""
        for each in self._served.values():
            each.close()

    def _settle(self) -> None:
        """Serve what is to be served, and nothing else."""
        choice = choose(self._candidates)
        for key, reason in choice.refused.items():
            if self.refused.get(key) != reason:
                facts = {"namespace": key[0], "config_map": key[1], "reason": reason}
                log.error("an API is not served", extra=facts)
        self.refused = choice.refused
        for key in self._served.keys() - choice.served.keys():
            self._tell("an API is served no more", self._served[key])
            self._served.pop(key).close()
        for key, config in choice.served.items():
            self._serve(key, config)
        self._by_path = {each.config.gateway.endpoint: each for each in self._served.values()}

    def _serve(self, key: Key, config: ApiConfig) -> None:
        before = self._served.get(key)
        if before is not None and _is_same(before.config, config):
            return
        is_measured_alike = before is not None and before.config.scaling == config.scaling
        counters = before.counters if before is not None and is_measured_alike else Counters(config)
        if before is not None:
            before.close()
        self._served[key] = self.open(key[0], config, counters)
        self._tell("an API is served" if before is None else "an API is served anew", self._served[key])

    def _tell(self, what: str, api: Served) -> None:
        facts = {"namespace": api.namespace, "api": api.config.name, "path": api.config.gateway.endpoint}
        log.info(what, extra=facts)


def _is_same(one: ApiConfig, other: ApiConfig) -> bool:
    """Whether two configurations are the same to a gateway."""

    def read_parts(config: ApiConfig) -> tuple[object, ...]:
        return (
            config.name,
            config.cluster_name,
            config.aws,
            config.storage,
            config.queue,
            config.gateway,
            config.scaling,
        )

    return read_parts(one) == read_parts(other)
