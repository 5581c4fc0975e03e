"""The HTTP API of every API: the path says which one a call is for."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from cortex_async import limits, logs
from cortex_async.gateway.description import served_description
from cortex_async.gateway.shared.apis import Apis
from cortex_async.http.connection import error_document

_LEVELS = 3
"""An API has its endpoint, <endpoint>/<id>, and <endpoint>/<id>/result."""


class Readiness:
    """Whether the gateway has begun: it knows the APIs of some namespaces, and has found their queues.

    A queue that is not there (yet) is waited for only so long: the other APIs must not suffer from it.
    """

    def __init__(self, apis: Apis, namespaces: Sequence[str | None]) -> None:
        self._apis = apis
        self._namespaces = namespaces
        self._give_up_at: float | None = None
        self._has_begun = False

    def waiting_for(self) -> list[str]:
        """Return what is waited for; nothing any more once that was so."""
        if self._has_begun:
            return []
        if not self._apis.is_known(self._namespaces):
            return ["Kubernetes to list the APIs"]
        now = asyncio.get_running_loop().time()
        if self._give_up_at is None:
            self._give_up_at = now + limits.SHARED_QUEUES_SECONDS
        missing = [api.config.name for api in self._apis.all() if api.gateway.queue is None]
        self._has_begun = not missing or now > self._give_up_at
        return [] if self._has_begun else [f"the queue of {each}" for each in missing]


class SharedGateway:
    """The routes. `readiness` is asked what is waited for, if anything; `stopping` is set at the end."""

    def __init__(self, apis: Apis, readiness: "Readiness") -> None:
        self._apis = apis
        self._readiness = readiness
        self.stopping = False

    def application(self) -> web.Application:
        """Return the application to serve."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/openapi.json", self._description)
        app.router.add_route("*", "/{path:.*}", self._answer, expect_handler=_leave_to_the_api)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        waiting_for = ["nothing: the gateway is shutting down"] if self.stopping else []
        waiting_for += self._readiness.waiting_for()
        status = 503 if waiting_for else 200
        return web.json_response({"ready": not waiting_for, "waiting_for": waiting_for}, status=status)

    async def _description(self, _: web.Request) -> web.Response:
        return served_description(None)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Let the API answer by its own routes: the nearest whose endpoint is the path, or above it."""
        path = request.rel_url.path_safe
        for _ in range(_LEVELS):
            if api := self._apis.at(path):
                logs.about_api(api.config.name)
                return await api.application._handle(request)
            path = path.rpartition("/")[0]
        return error_document(404, "not_found", f"{request.method} {request.path}: no API is served here")


async def _leave_to_the_api(_: web.Request) -> None:
    """Say nothing yet to a client that asks whether it may send its body."""
