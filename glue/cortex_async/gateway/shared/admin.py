"""What no route to the APIs leads to: `/metrics` of all, `/scaling` and `/requests` with `/<namespace>/<api>`."""

from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cortex_async import metrics
from cortex_async.gateway.admin import measured, recent
from cortex_async.gateway.shared.apis import Apis, Counters

_LABELS: Final = (*metrics.API_LABELS, "namespace")


def application(registry: CollectorRegistry, apis: Apis) -> web.Application:
    """Return the application to serve."""

    def asked(request: web.Request) -> Counters:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        api = apis.named(namespace, name)
        if api is None:
            raise web.HTTPNotFound(text=f"404: the API {name} of namespace {namespace} is not served here")
        return api.counters

    async def scaling(request: web.Request) -> web.Response:
        return await measured(
            asked(request).gateway.sampler
        )  # after an error KEDA keeps the replicas that there are

    async def requests(request: web.Request) -> web.Response:
        return recent(asked(request).gateway)

    app = web.Application()
    app.router.add_get("/metrics", metrics.handler(registry))
    app.router.add_get("/scaling/{namespace}/{name}", scaling)
    app.router.add_get("/requests/{namespace}/{name}", requests)
    return app


class SharedReadings(Collector):
    """The readings of every API, and which ones are served."""

    def __init__(self, registry: CollectorRegistry, apis: Apis) -> None:
        self._apis = apis
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        families: dict[str, Any] = {}
        for api in self._apis.all():
            labels = (*metrics.api_values(api.config.name), api.namespace)
            for each in api.counters.readings:
                family = families.setdefault(each.name, metrics.new_family(each, _LABELS))
                for values, value in each.read().items():
                    family.add_metric((*labels, *values), value)
        yield from families.values()
        yield from self._states()

    def describe(self) -> Iterator[Metric]:
        """Name nothing: which metrics there are depends on the APIs."""
        return iter(())

    def _states(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "cortex_async_gateway_apis",
            "APIs by state: served, waiting (for their queue), or refused.",
            labels=("state",),
        )
        queues = [api.gateway.queue for api in self._apis.all()]
        waiting = queues.count(None)
        states.add_metric(("served",), len(queues) - waiting)
        states.add_metric(("waiting",), waiting)
        states.add_metric(("refused",), len(self._apis.refused))
        yield states
        refused = GaugeMetricFamily(
            "cortex_async_gateway_refused_api",
            "ConfigMaps of APIs that are not served; the log tells why.",
            labels=("namespace", "config_map"),
        )
        for key in self._apis.refused:
            refused.add_metric(key, 1)
        yield refused
