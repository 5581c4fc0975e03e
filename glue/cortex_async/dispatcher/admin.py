"""The dispatcher's own HTTP server: what the kubelet asks, and where the pod's containers wait to be stopped."""

import asyncio

from aiohttp import web
from prometheus_client import CollectorRegistry

from cortex_async import limits, metrics
from cortex_async.dispatcher.progress_reports import ProgressReports
from cortex_async.dispatcher.readiness import Readiness


class Admin:
    """Serves `/healthz`, `/readyz`, `/drain`, `/metrics` and `/progress/<id>`."""

    def __init__(self, readiness: Readiness, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry or metrics.new_registry()
        self._readiness = readiness
        self.progress = ProgressReports()
        self.connected = False
        self.draining = asyncio.Event()
        self.drained = asyncio.Event()

    def application(self) -> web.Application:
        """Return the application to serve."""
        app = web.Application(client_max_size=limits.PROGRESS_BYTES)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/drain", self._drain)
        app.router.add_get("/metrics", metrics.handler(self._registry))
        app.router.add_post("/progress/{id}", self.progress.handle)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        waiting_for = self._readiness.waiting_for
        if not self.connected:
            waiting_for.append("the queue")
        if self.draining.is_set():
            waiting_for.append("nothing: the pod is shutting down")
        return web.json_response(
            {"ready": not waiting_for, "waiting_for": waiting_for}, status=503 if waiting_for else 200
        )

    async def _drain(self, _: web.Request) -> web.Response:
        """Answer when the dispatcher has drained: a container's preStop, so that it outlives its last request.

        It starts nothing, since anyone in the cluster may call it. When no shutdown begins within 2 s, only the
        one container is being restarted, and there is nothing to wait for.
        """
        try:
            await asyncio.wait_for(self.draining.wait(), limits.DRAIN_BEGINS_SECONDS)
        except TimeoutError:
            return web.json_response({"drained": False, "reason": "the pod is not shutting down"})
        await self.drained.wait()
        return web.json_response({"drained": True})
