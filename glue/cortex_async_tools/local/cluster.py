"""A Kubernetes API of this machine: what the operator and the shared gateway ask, answered from what runs here.

It can be read only: nothing is deployed, restarted or deleted by it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

Object = dict[str, Any]

NAMESPACE = "default"
_VERSION = "1"
"""The resource version of all: they never change."""


class LocalCluster:
    """The objects of some APIs, each a replica. `log` returns what a container of an API wrote last."""

    def __init__(self, log: Callable[[str, str], Sequence[str]]) -> None:
        self.ready: set[str] = set()
        self._log = log
        self._objects: dict[str, list[Object]] = {"services": []}
        self._made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, api: Mapping[str, Any], deployment: Mapping[str, Any]) -> None:
        """Add an API: what its glue is told, and its Deployment as the chart renders it."""
        name = api["name"]
        labels = deployment["metadata"]["labels"]
        metadata: Object = {"namespace": NAMESPACE, "creationTimestamp": self._made, "resourceVersion": _VERSION}
        metadata |= {"uid": f"local-{name}", "generation": 1, "labels": labels}
        revision = {"deployment.kubernetes.io/revision": "1"}
        template = {**deployment["spec"]["template"]["metadata"]["labels"], "pod-template-hash": "local"}
        found = {
            "configmaps": {"data": {"api.json": json.dumps(api)}, "metadata": metadata | {"name": f"api-{name}"}},
            "deployments": {
                "metadata": metadata | {"name": f"api-{name}", "annotations": revision},
                "spec": {"replicas": 1, "template": deployment["spec"]["template"]},
            },
            "replicasets": {
                "metadata": metadata | {"name": f"api-{name}-local", "annotations": revision, "labels": template}
            },
            "pods": {
                "metadata": metadata | {"name": f"api-{name}-local", "labels": template},
                "spec": _listening(deployment["spec"]["template"]["spec"], api["dispatcher"]["adminPort"]),
            },
        }
        for plural, each in found.items():
            self._objects.setdefault(plural, []).append(each)

    def add_gateway(self, admin_port: int) -> None:
        """Add the pod of the shared gateway, so that the operator can ask it."""
        labels = {"app.kubernetes.io/name": "cortex-gateway", "apiName": ""}
        spec = {"containers": [{"name": "gateway", "ports": [{"name": "admin", "containerPort": admin_port}]}]}
        metadata = {"name": "cortex-gateway", "namespace": NAMESPACE, "labels": labels}
        self._objects.setdefault("pods", []).append({"metadata": metadata, "spec": spec})

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """Serve on that port of this machine until the context ends; raises OSError."""
        app = web.Application()
        for base in ("/api/{version}", "/apis/{group}/{version}"):
            for place in ("", f"/namespaces/{NAMESPACE}"):
                app.router.add_get(base + place + "/{plural}", self._many)
            app.router.add_get(base + f"/namespaces/{NAMESPACE}/pods/{{name}}/log", self._log_of)
            app.router.add_get(base + f"/namespaces/{NAMESPACE}/{{plural}}/{{name}}", self._one)
        app.router.add_route("*", "/{path:.*}", self._refuse)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=0.1).start()
            yield
        finally:
            await runner.cleanup()

    async def _many(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await self._watch(request)
        found = [self._told(request.match_info["plural"], each) for each in self._chosen(request)]
        return web.json_response({"metadata": {"resourceVersion": _VERSION}, "items": found})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Send nothing, since nothing changes, for as long as was asked for."""
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        await asyncio.sleep(float(request.query.get("timeoutSeconds", "60")))
        return answer

    async def _one(self, request: web.Request) -> web.Response:
        plural, name = request.match_info["plural"], request.match_info["name"]
        for each in self._objects.get(plural, ()):
            if each["metadata"]["name"] == name:
                return web.json_response(self._told(plural, each))
        return _status(404, f"there is no {name} among the {plural}")

    async def _log_of(self, request: web.Request) -> web.Response:
        for each in self._objects.get("pods", ()):
            if each["metadata"]["name"] == request.match_info["name"]:
                name = each["metadata"]["labels"]["apiName"]
                lines = self._log(name, request.query.get("container", ""))
                return web.Response(text="".join(f"{line}\n" for line in lines))
        return _status(404, f"there is no pod {request.match_info['name']}")

    async def _refuse(self, request: web.Request) -> web.Response:
        return _status(
            403, f"local mode can be read only ({request.method} {request.path}): end it, and run it anew"
        )

    def _chosen(self, request: web.Request) -> list[Object]:
        wanted = dict(part.split("=", 1) for part in request.query.get("labelSelector", "").split(",") if part)
        found = [
            each
            for each in self._objects.get(request.match_info["plural"], ())
            if wanted.items() <= each["metadata"]["labels"].items()
        ]
        if request.query.get("fieldSelector") == "status.phase=Pending":
            return [each for each in found if not self._is_ready(each)]
        return found

    def _told(self, plural: str, each: Object) -> Object:
        ready = self._is_ready(each)
        if plural == "deployments":
            counted = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": int(ready), "observedGeneration": 1}
            return {**each, "status": counted}
        if plural == "pods":
            condition = {"type": "Ready", "status": str(ready)}
            return {**each, "status": {"phase": "Running", "podIP": "127.0.0.1", "conditions": [condition]}}
        return each

    def _is_ready(self, each: Object) -> bool:
        return each["metadata"]["labels"]["apiName"] in self.ready


def _listening(spec: Mapping[str, Any], admin_port: int) -> Object:
    """Return a pod's spec, in which the dispatcher's admin port is the one that it has here."""
    ports = [{"name": "admin", "containerPort": admin_port}]
    containers = [
        {**each, "ports": ports} if each["name"] == "dispatcher" else each for each in spec["containers"]
    ]
    return {**spec, "containers": containers}


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


def write_kubeconfig(file: Path, url: str) -> None:
    """Write a kubeconfig (JSON is YAML) for that API."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "local",
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
        "clusters": [{"name": "local", "cluster": {"server": url}}],
        "users": [{"name": "local", "user": {}}],
    }
    file.write_text(json.dumps(document))
