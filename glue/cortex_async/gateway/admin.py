"""The gateway's own HTTP server, which no route to the API leads to.

`/metrics`, `/scaling` for KEDA, and `/requests`, the ids that were submitted last, for the operator's page.
"""

from aiohttp import web
from prometheus_client import CollectorRegistry

from cortex_async import metrics
from cortex_async.gateway.metrics import GatewayMetrics
from cortex_async.gateway.scaling import NoSample, Sampler
from cortex_async.http.connection import error_document


def application(registry: CollectorRegistry, counters: GatewayMetrics) -> web.Application:
    """Return the application to serve."""

    async def scaling(_: web.Request) -> web.Response:
        return await measured(counters.sampler)

    async def requests(_: web.Request) -> web.Response:
        return recent(counters)

    app = web.Application()
    app.router.add_get("/metrics", metrics.handler(registry))
    app.router.add_get("/scaling", scaling)
    app.router.add_get("/requests", requests)
    return app


def recent(counters: GatewayMetrics) -> web.Response:
    """Respond with the ids that this gateway took last, newest first."""
    return web.json_response({"ids": list(dict.fromkeys(reversed(counters.recent)))})


async def measured(sampler: Sampler) -> web.Response:
    """Respond with what scales an API."""
    try:
        measure = await sampler.read()
    except NoSample as error:  # KEDA then keeps the replicas that there are
        return error_document(503, "no_sample", str(error))
    return web.json_response(
        {
            "in_flight": round(measure.in_flight, 3),
            "queued": measure.queued,
            "active": measure.active,
            "age_seconds": round(measure.age_seconds, 1),
        }
    )
