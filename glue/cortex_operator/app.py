"""The routes: what the original's operator answered, over what Kubernetes and Helm know."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiohttp import web

from cortex_async.errors import CortexError
from cortex_operator import __version__, streaming
from cortex_operator.auth import Guard
from cortex_operator.catalogue import Catalogue
from cortex_operator.config import OperatorConfig
from cortex_operator.dashboard import Dashboard
from cortex_operator.deploying import Deployer
from cortex_operator.errors import Refused
from cortex_operator.kubernetes import Kubernetes

log = logging.getLogger(__name__)

_FILE_BYTES = 2**21
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Operator:
    """The operator's answers."""

    def __init__(
        self,
        config: OperatorConfig,
        catalogue: Catalogue,
        deployer: Deployer,
        guard: Guard,
        kubernetes: Kubernetes,
        dashboard: Dashboard,
    ) -> None:
        self._config = config
        self._catalogue = catalogue
        self._deployer = deployer
        self._guard = guard
        self._kubernetes = kubernetes
        self._dashboard = dashboard

    def application(self) -> web.Application:
        """Return the application to serve."""
        app = web.Application(middlewares=[as_json], client_max_size=_FILE_BYTES)
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/verifycortex", _healthz)
        for method, path, right, handler in (
            ("GET", "/get", "read", self._list),
            ("GET", "/get/{name}", "read", self._get),
            ("GET", "/get/{name}/{id}", "read", self._get_version),
            ("GET", "/describe/{name}", "read", self._describe),
            ("GET", "/logs/{name}", "logs", self._log_url),
            ("GET", "/streamlogs/{name}", "logs", self._stream_logs),
            ("POST", "/refresh/{name}", "refresh", self._refresh),
            ("POST", "/deploy", "deploy", self._deploy),
            ("DELETE", "/delete/{name}", "deploy", self._delete),
        ):
            app.router.add_route(method, path, partial(self._guarded, handler, right))
        self._dashboard.add_routes(app)
        app.router.add_get("/info", partial(self._guarded, self._info, "read", any_version=True))
        return app

    async def _guarded(
        self, handler: Handler, right: str, request: web.Request, *, any_version: bool = False
    ) -> web.StreamResponse:
        await self._guard.check(request.headers, right)
        if not any_version:
            self._check_version(request)
        return await handler(request)

    def _check_version(self, request: web.Request) -> None:
        shown = request.headers.get("CortexAPIVersion")
        if not shown:
            raise Refused("endpoints.header_missing", "missing header: CortexAPIVersion")
        served = self._config.served_versions
        if not any(shown == each or shown.startswith(f"{each}.") for each in served):
            raise Refused(
                "endpoints.api_version_mismatch",
                f"your client is version {shown}, but this cluster is {__version__} and serves clients of version "
                f"{', '.join(served)}; install one of these",
            )

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "cluster_config": {
                    "cluster_name": self._config.cluster_name,
                    "region": self._config.region,
                    "cortex_version": __version__,
                    "served_versions": self._config.served_versions,
                },
                "worker_node_infos": [],  # which would take the right to list nodes
                "operator_node_infos": [],
                "num_pending_replicas": await self._catalogue.pending_replicas(),
            }
        )

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(await self._catalogue.documents(self._url(request)))

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response([await self._catalogue.document(name, self._url(request))])

    async def _get_version(self, request: web.Request) -> web.Response:
        document = await self._catalogue.document(request.match_info["name"], self._url(request))
        api_id = request.match_info["id"]
        if api_id not in {each["api_id"] for each in document["api_versions"]}:
            name = request.match_info["name"]
            raise Refused("resources.api_id_not_found", f"{name} has no version {api_id}")
        return web.json_response([document])

    async def _describe(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response([await self._catalogue.description(name, self._url(request), datetime.now(UTC))])

    async def _refresh(self, request: web.Request) -> web.Response:
        message = await self._deployer.refresh(request.match_info["name"], force=_flag(request, "force"))
        return web.json_response({"message": message})

    async def _delete(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"message": await self._deployer.to_the_end(self._deployer.delete(request.match_info["name"]))}
        )

    async def _deploy(self, request: web.Request) -> web.Response:
        form = await request.post() if request.content_type == "multipart/form-data" else {}
        field: Any = form.get("config")
        if not isinstance(field, web.FileField):
            raise Refused("endpoints.form_file_must_be_provided", "the file field config must be provided")
        change = self._deployer.deploy(
            field.file.read(), force=_flag(request, "force"), operator_url=self._url(request)
        )
        results = await self._deployer.to_the_end(change)
        return web.json_response(results)

    async def _log_url(self, request: web.Request) -> web.Response:
        api = await self._catalogue.find(request.match_info["name"])
        if not self._config.log_url:
            raise Refused(
                "operator.no_log_url",
                "this operator knows no viewer of logs (logUrl in its values); read one replica's by --random-pod",
            )
        url = self._config.log_url.replace("{name}", api.name).replace("{namespace}", api.namespace)
        return web.json_response({"log_url": url})

    async def _stream_logs(self, request: web.Request) -> web.StreamResponse:
        api = await self._catalogue.find(request.match_info["name"])
        return await streaming.send(request, api, await self._catalogue.pods(api), self._kubernetes)

    def _url(self, request: web.Request) -> str:
        return (self._config.public_url or f"{request.scheme}://{request.host}").rstrip("/")


@web.middleware
async def as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into the document that clients read."""
    try:
        return await handler(request)
    except Refused as error:
        if error.status >= 500:
            log.warning("a call failed", extra={"path": request.path, "reason": str(error)})
        return web.json_response({"kind": error.kind, "message": str(error)}, status=error.status)
    except CortexError as error:
        log.error("a call failed", extra={"path": request.path, "reason": str(error)})
        return web.json_response({"kind": "operator.internal", "message": str(error)}, status=500)
    except web.HTTPException as error:
        kind = f"endpoints.http_{error.status}"
        return web.json_response({"kind": kind, "message": f"{request.path}: {error.reason}"}, status=error.status)


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({})


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "false").lower() == "true"
