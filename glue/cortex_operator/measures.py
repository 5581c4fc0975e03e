"""What the pods of the APIs measure, read from their admin ports: queue depth, age, results, and recent requests.

A pod that does not answer within a moment counts as one that says nothing: a page is shown without its numbers.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from cortex_operator.apis import Api
from cortex_operator.config import OperatorConfig
from cortex_operator.errors import KubernetesError
from cortex_operator.kubernetes import Kubernetes, Object

_PODS = "cortex.dev/api=true"
_SHARED = "app.kubernetes.io/name=cortex-gateway"
_SECONDS = 2.0
"""For one answer of a pod."""
_AT_ONCE = 50
_LEAST_SECONDS, _MOST_SECONDS = 2.0, 600.0
"""Between the two readings that a rate is made of."""
_RECENT = 20
_GAUGES = {
    "cortex_async_queued": "queued",
    "cortex_async_in_flight": "in_flight",
    "cortex_async_backlog_seconds": "age",
}

Key = tuple[str, str]
"""The namespace and the name of an API."""


@dataclass
class Measured:
    """Of one API; None is what nobody tells. Rates are a second, since the reading before.

    `age` is in seconds: since nothing waited, so the oldest request that waits is no older.
    """

    queued: float | None = None
    in_flight: float | None = None
    age: float | None = None
    results: dict[str, float] = field(default_factory=dict)
    dead_letters: float | None = None
    rates: dict[str, float] = field(default_factory=dict)


class Measures:
    """Reads pods; keeps the last counters of each, for rates."""

    def __init__(self, config: OperatorConfig, kubernetes: Kubernetes, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._kubernetes = kubernetes
        self._session = session
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._before: dict[Key, tuple[float, dict[str, float]]] = {}

    async def read(self, api: Api | None = None) -> Mapping[Key, Measured]:
        """Return what the pods of one API, or of all, measure; raises KubernetesError."""
        name = f",apiName={api.name}" if api else ""
        places = [api.namespace] if api else self._config.namespaces
        pods = [each async for each in self._kubernetes.list("v1/pods", places, labels=_PODS + name)]
        found: dict[Key, Measured] = {}
        shared = [each async for each in self._shared()]
        texts = await asyncio.gather(*(self._get(each, "/metrics") for each in [*pods, *shared]))
        for pod, text in zip([*pods, *shared], texts, strict=True):
            _add(found, pod["metadata"]["namespace"], text or "")
        now = time.monotonic()
        for key, each in found.items():
            each.rates = self._rates(key, each.results, now)
        return found

    async def recent(self, api: Api) -> Sequence[str]:
        """Return the ids of the requests that were submitted last, newest first; raises KubernetesError."""
        labels = f"{_PODS},app.kubernetes.io/component=gateway,apiName={api.name}"
        own = [each async for each in self._kubernetes.list("v1/pods", [api.namespace], labels=labels)]
        shared = [each async for each in self._shared()]
        calls = [self._get(each, "/requests") for each in own]
        calls += [self._get(each, f"/requests/{api.namespace}/{api.name}") for each in shared]
        ids = {each for text in await asyncio.gather(*calls) for each in _ids(text)}
        return sorted(ids, reverse=True)[:_RECENT]  # they begin with their time

    async def _shared(self) -> AsyncIterator[Object]:
        """Yield the pods of the shared gateway, if there is one and they may be listed."""
        if not self._config.gateway_namespace:
            return
        try:
            async for each in self._kubernetes.list("v1/pods", [self._config.gateway_namespace], labels=_SHARED):
                yield each
        except KubernetesError as error:
            if error.reason_status != 403:
                raise

    async def _get(self, pod: Object, path: str) -> str | None:
        """Ask the admin port of a pod."""
        address = (pod.get("status") or {}).get("podIP")
        port = _admin_port(pod)
        if not address or not port:
            return None
        host = f"[{address}]" if ":" in address else address
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                self._turns,
                self._session.get(f"http://{host}:{port}{path}", timeout=timeout) as answer,
            ):
                return await answer.text() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
            return None

    def _rates(self, key: Key, results: dict[str, float], now: float) -> dict[str, float]:
        """Return what there was more a second since the reading before; a restart of pods makes no rate."""
        then, before = self._before.get(key, (now, {}))
        elapsed = now - then
        if key not in self._before or elapsed > _MOST_SECONDS:
            self._before[key] = now, dict(results)
            return {}
        if elapsed < _LEAST_SECONDS:
            return {}
        self._before[key] = now, dict(results)
        more = {status: count - before.get(status, 0) for status, count in results.items()}
        return (
            {status: count / elapsed for status, count in more.items()}
            if min(more.values(), default=0) >= 0
            else {}
        )


def _add(found: dict[Key, Measured], pod_namespace: str, text: str) -> None:
    try:
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    except ValueError:
        return
    for sample in samples:
        if "api_name" not in sample.labels:
            continue
        key = (sample.labels.get("namespace", pod_namespace), sample.labels["api_name"])
        measured = found.setdefault(key, Measured())
        if gauge := _GAUGES.get(sample.name):  # the same from every gateway, but each looks at another time
            setattr(measured, gauge, max(sample.value, getattr(measured, gauge) or 0))
        elif sample.name == "cortex_async_results_total":
            status = sample.labels["status"]
            measured.results[status] = measured.results.get(status, 0) + sample.value
        elif sample.name == "cortex_async_attempts_total":  # of a dispatcher, which may have seen no end yet
            measured.results = {"completed": 0.0, "failed": 0.0} | measured.results
        elif sample.name == "cortex_async_dead_letters_total":
            measured.dead_letters = (measured.dead_letters or 0) + sample.value


def _admin_port(pod: Object) -> int | None:
    containers: Iterable[Mapping[str, Any]] = pod["spec"]["containers"]
    ports = [port for each in containers for port in each.get("ports") or () if port.get("name") == "admin"]
    return int(ports[0]["containerPort"]) if ports else None


def _ids(text: str | None) -> list[str]:
    try:
        return [str(each) for each in json.loads(text or "{}")["ids"]]
    except (ValueError, KeyError, TypeError):
        return []
