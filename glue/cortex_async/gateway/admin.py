"""The gateway's own HTTP server, which no route to the API leads to: `/metrics`, and `/scaling` for KEDA."""

from aiohttp import web
from prometheus_client import CollectorRegistry

from cortex_async import metrics
from cortex_async.gateway.scaling import NoSample, Sampler
from cortex_async.http.connection import error_document


def application(registry: CollectorRegistry, sampler: Sampler) -> web.Application:
    """Return the application to serve."""

    async def scaling(_: web.Request) -> web.Response:
        return await measured(sampler)

    app = web.Application()
    app.router.add_get("/metrics", metrics.handler(registry))
    app.router.add_get("/scaling", scaling)
    return app


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
