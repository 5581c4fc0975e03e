"""Metrics in Prometheus's format: one registry a process, and what every process of ours measures alike.

Measured on top of what a dispatcher imports anyway: prometheus_client takes 0.7 MB and 12 ms of its start.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import prometheus_client
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

API_LABELS: Final = ("api_name", "api_kind")
NO_STATUS: Final = "none"
"""The `status_code` of a request that got no response."""

_KNOWN = frozenset(HTTPStatus)
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "untyped": UnknownMetricFamily}

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


def api_values(api_name: str) -> tuple[str, str]:
    """Return the values of `API_LABELS`."""
    return api_name, "AsyncAPI"


def status_label(status: int | None) -> str:
    """Return a `status_code` of few possible values: a registered one as it is, another as its class."""
    if status is None:
        return NO_STATUS
    return str(status) if status in _KNOWN else f"{status // 100}xx"


def new_registry(api_name: str | None = None) -> CollectorRegistry:
    """Return a registry that holds the process's own memory, CPU, files and tasks (`process_…`).

    They are labelled as those of an API, unless the process serves several.
    """
    registry = CollectorRegistry()
    registry.register(
        _Process({} if api_name is None else dict(zip(API_LABELS, api_values(api_name), strict=True)))
    )
    return registry


class _Process(Collector):
    """The process, with the tasks of its event loop; read when it is asked for."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(labels)
        self._process = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        tasks = GaugeMetricFamily("process_asyncio_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        for family in [*self._process.collect(), tasks]:
            family.samples = [each._replace(labels=self._labels) for each in family.samples]
            yield family


def handler(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return what answers `GET /metrics`."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = prometheus_client.exposition.choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return metrics


Values = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Reading:
    """A metric that is read when it is asked for, so that it costs nothing between; `type` is Prometheus's.

    `read` returns a value for each combination of `labels`, which come beside those of the API. Untyped ones are
    counters whose names the original gave without `_total`, which the library adds to every counter.
    """

    type: str
    name: str
    help: str
    read: Callable[[], Values]
    labels: tuple[str, ...] = ()


def new_family(reading: Reading, labels: Sequence[str]) -> Any:
    """Return a family for the values of a reading, which come after those of `labels`."""
    return _FAMILIES[reading.type](reading.name, reading.help, labels=(*labels, *reading.labels))


class Readings(Collector):
    """All readings of one API."""

    def __init__(self, registry: CollectorRegistry, api_name: str, readings: Sequence[Reading]) -> None:
        self._readings = readings
        self._api = api_values(api_name)
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        for each in self._readings:
            family = new_family(each, API_LABELS)
            for values, value in each.read().items():
                family.add_metric((*self._api, *values), value)
            yield family

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without reading them."""
        for each in self._readings:
            yield _FAMILIES[each.type](each.name, each.help)


class AwsCalls:
    """Counts the tries of calls to AWS."""

    def __init__(self) -> None:
        self._tries: collections.Counter[tuple[str, str]] = collections.Counter()
        self.reading = Reading(
            "counter",
            "cortex_async_aws_calls",
            "Tries of calls to S3 and SQS; result is ok, refused (a permission, a name) or unavailable.",
            lambda: {tried: count for tried, count in self._tries.items()},
            ("operation", "result"),
        )

    def observe(self, operation: str, result: str) -> None:
        """Count one try."""
        self._tries[operation, result] += 1
