"""A Kubernetes API server for tests: the part of it that the operator and helm call, over real HTTP.

It keeps objects in memory, and does what the controllers would do with a Deployment: a ReplicaSet and ready pods.
`python -m support.kubernetes_api --port N` serves it alone; tests run it in a thread of their own (`serving`).
"""

import asyncio
import copy
import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from support.kubernetes_protobuf import read_secret
from support.processes import free_port

Object = dict[str, Any]
Key = tuple[str, str, str, str]  # API version, plural, namespace, name

KINDS: dict[str, dict[str, str]] = {
    "v1": {
        "namespaces": "Namespace",
        "pods": "Pod",
        "secrets": "Secret",
        "configmaps": "ConfigMap",
        "services": "Service",
        "serviceaccounts": "ServiceAccount",
        "events": "Event",
        "resourcequotas": "ResourceQuota",
        "limitranges": "LimitRange",
    },
    "apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "batch/v1": {"jobs": "Job"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy", "ingressclasses": "IngressClass"},
    "rbac.authorization.k8s.io/v1": {
        "clusterroles": "ClusterRole",
        "clusterrolebindings": "ClusterRoleBinding",
        "roles": "Role",
        "rolebindings": "RoleBinding",
    },
    "keda.sh/v1alpha1": {"scaledobjects": "ScaledObject", "triggerauthentications": "TriggerAuthentication"},
}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_REVISION = "deployment.kubernetes.io/revision"


class ApiServer:
    """The server's objects and answers."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.logs: dict[str, list[str]] = {}  # of pods, by name
        self.forbidden: set[str] = set()  # plurals that nobody may read
        self.hold_rollouts = False  # whether new pods stay unready
        self.calls: list[tuple[str, str]] = []
        self.forgotten_version = 0  # changes up to it can be watched no more
        self._version = 1
        self._deleted: list[tuple[int, Key, Object]] = []
        self._watches = 0  # raised to end those that are open

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/version", self._about)
        app.router.add_get("/api", self._groups)
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/openapi/v3", self._openapi_index)
        app.router.add_get("/openapi/v3/{path:.+}", self._openapi)
        app.router.add_get("/api/{version}", self._resources)
        app.router.add_get("/apis/{group}/{version}", self._resources)
        for base in ("/api/{version}", "/apis/{group}/{version}"):
            for place in ("", "/namespaces/{namespace}"):
                app.router.add_route("*", base + place + "/{plural}", self._many)
                app.router.add_route("*", base + place + "/{plural}/{name}", self._one)
            app.router.add_get(base + "/namespaces/{namespace}/pods/{name}/log", self._log)
        return app

    # ---- what tests put in ----------------------------------------------------------------------------------

    def add(self, api_version: str, plural: str, document: Object) -> Object:
        metadata = document["metadata"]
        metadata.setdefault("namespace", "default")
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", timestamp())
        metadata.setdefault("generation", 1)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        document.setdefault("apiVersion", api_version)
        document.setdefault("kind", KINDS[api_version][plural])
        self.objects[api_version, plural, metadata["namespace"], metadata["name"]] = document
        if plural == "deployments":
            self.roll_out(document)
        elif plural == "jobs":
            document["status"] = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
        return document

    def find(self, plural: str, name: str, namespace: str = "default") -> Object | None:
        for (_, its_plural, its_namespace, its_name), each in self.objects.items():
            if (its_plural, its_namespace, its_name) == (plural, namespace, name):
                return each
        return None

    def roll_out(self, deployment: Object) -> None:
        """Do what the controllers do: a new ReplicaSet when the pods' template has changed, and its pods."""
        metadata, spec = deployment["metadata"], deployment["spec"]
        template = json.dumps(spec["template"], sort_keys=True)
        digest = uuid.uuid5(uuid.NAMESPACE_OID, template).hex[:10]
        annotations = metadata.setdefault("annotations", {})
        name, namespace = f"{metadata['name']}-{digest}", metadata["namespace"]
        if self.find("replicasets", name, namespace) is None:
            annotations[_REVISION] = str(int(annotations.get(_REVISION, "0")) + 1)
            labels = {**spec["template"]["metadata"]["labels"], "pod-template-hash": digest}
            own = {"name": name, "namespace": namespace, "labels": labels}
            own["annotations"] = {_REVISION: annotations[_REVISION]}
            self.add("apps/v1", "replicasets", {"metadata": own, "spec": {}})
            if not self.hold_rollouts:
                self._replace_pods(deployment, labels, name)
        replicas = int(spec.get("replicas", 1))
        counted = {"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas}
        if self.hold_rollouts:
            counted["updatedReplicas"] = 0
        deployment["status"] = {**counted, "observedGeneration": metadata["generation"]}

    def _replace_pods(self, deployment: Object, labels: Mapping[str, str], name: str) -> None:
        namespace = deployment["metadata"]["namespace"]
        wanted = deployment["spec"]["selector"]["matchLabels"].items()
        for key, each in list(self.objects.items()):
            if key[1] == "pods" and key[2] == namespace and wanted <= each["metadata"]["labels"].items():
                del self.objects[key]
        for number in range(int(deployment["spec"].get("replicas", 1))):
            pod = {"name": f"{name}-{number}", "namespace": namespace, "labels": dict(labels)}
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
            self.add("v1", "pods", {"metadata": pod, "spec": spec, "status": status})
            self.logs.setdefault(f"{name}-{number}", ["ready\n"])

    # ---- what is asked --------------------------------------------------------------------------------------

    async def _about(self, _: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})

    async def _groups(self, request: web.Request) -> web.Response:
        if request.path == "/api":
            return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
        groups = []
        for each in KINDS:
            if "/" in each:
                version = {"groupVersion": each, "version": each.split("/")[1]}
                groups.append({"name": each.split("/")[0], "versions": [version], "preferredVersion": version})
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def _openapi_index(self, _: web.Request) -> web.Response:
        paths = {_path(each): {"serverRelativeURL": f"/openapi/v3/{_path(each)}"} for each in KINDS}
        return web.json_response({"paths": paths})

    async def _openapi(self, request: web.Request) -> web.Response:
        """Say that fields are validated here, so that helm does not."""
        version = request.match_info["path"].split("/", 1)[1]
        group, _, number = version.rpartition("/")
        paths = {
            f"/{plural}": {
                "patch": {
                    "x-kubernetes-group-version-kind": {"group": group, "version": number, "kind": kind},
                    "parameters": [{"name": "fieldValidation", "in": "query"}],
                    "responses": {},
                }
            }
            for plural, kind in KINDS[version].items()
        }
        info = {"title": "Kubernetes", "version": "1"}
        return web.json_response({"openapi": "3.0.0", "info": info, "paths": paths})

    async def _resources(self, request: web.Request) -> web.Response:
        version = api_version(request)
        if version not in KINDS:
            return refusal(404, f"no group {version}")
        resources = [
            {"name": plural, "kind": kind, "namespaced": kind != "Namespace", "verbs": _VERBS, "singularName": ""}
            for plural, kind in KINDS[version].items()
        ]
        document = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}
        return web.json_response(document)

    async def _many(self, request: web.Request) -> web.StreamResponse:
        plural = request.match_info["plural"]
        self.calls.append((request.method, request.path))
        if plural in self.forbidden:
            return refusal(403, f"{plural} is forbidden")
        if request.method == "POST":
            document = _read(request, await request.read())
            document["metadata"]["namespace"] = request.match_info["namespace"]
            if (api_version(request), *place(request, document["metadata"]["name"])) in self.objects:
                return refusal(409, f"{plural} {document['metadata']['name']} already exists")
            return web.json_response(self.add(api_version(request), plural, document), status=201)
        if plural not in KINDS.get(api_version(request), ()):
            return refusal(404, f"no resource {plural} of {api_version(request)}")
        if "watch" in request.query:
            return await self._watch(request)
        found = [each for _, each in self._asked_for(request)]
        start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0"))
        page = found[start : start + limit] if limit else found
        more = {"continue": str(start + limit)} if limit and start + limit < len(found) else {}
        kind = KINDS[api_version(request)][plural]
        if "PartialObjectMetadataList" in request.headers.get("Accept", ""):
            kind = "PartialObjectMetadata"
            page = [{"metadata": each["metadata"]} for each in page]
        metadata = {"resourceVersion": str(self._version), **more}
        version = api_version(request)
        document = {"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": page}
        return web.json_response(document)

    def _is_asked_for(self, request: web.Request, key: Key, each: Object) -> bool:
        namespace = request.match_info.get("namespace")
        if key[:2] != (api_version(request), request.match_info["plural"]) or namespace not in {None, key[2]}:
            return False
        labels = each["metadata"].get("labels") or {}
        wanted = [part for part in request.query.get("labelSelector", "").split(",") if part]
        fields = [part for part in request.query.get("fieldSelector", "").split(",") if part]
        return all(_matches(labels, part) for part in wanted) and all(_has_field(each, part) for part in fields)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Send what is there, and what changes, until the client has heard enough."""
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        kind = KINDS[api_version(request)][request.match_info["plural"]]
        bookmark = {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": str(self._version)}
        sent: dict[Key, Object] = {}
        known = int(request.query.get("resourceVersion") or "0")
        if 0 < known <= self.forgotten_version:
            expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await answer.write(json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n")
            return answer
        if request.query.get("sendInitialEvents") != "true":  # what was there has been listed
            there = self._asked_for(request)
            sent = {key: each for key, each in there if not known or _version_of(each) <= known}
            gone = [(key, each) for version, key, each in self._deleted if known and version > known]
            sent |= {key: each for key, each in gone if self._is_asked_for(request, key, each)}
            bookmark = {}
        number = self._watches
        while number == self._watches:
            now = dict(self._asked_for(request))
            events = [("DELETED", sent[key]) for key in sent.keys() - now.keys()]
            for key, each in now.items():
                if key not in sent:
                    events.append(("ADDED", each))
                elif sent[key]["metadata"]["resourceVersion"] != each["metadata"]["resourceVersion"]:
                    events.append(("MODIFIED", each))
            if bookmark:
                version = api_version(request)
                events.append(("BOOKMARK", {"kind": kind, "apiVersion": version, "metadata": bookmark}))
                bookmark = {}
            for name, each in events:
                await answer.write(json.dumps({"type": name, "object": each}).encode() + b"\n")
            sent = copy.deepcopy(now)
            await asyncio.sleep(0.02)
        return answer

    def end_watches(self, *, forget: bool = False) -> None:
        """End all watches that are open; with `forget` the versions that they know are too old to go on from."""
        self._watches += 1
        if forget:
            self._version += 1
            self.forgotten_version = self._version

    def remove(self, plural: str, name: str, namespace: str = "default") -> None:
        """Delete an object."""
        self._delete(next(key for key in self.objects if key[1:] == (plural, namespace, name)))

    def _asked_for(self, request: web.Request) -> list[tuple[Key, Object]]:
        return [(key, each) for key, each in self.objects.items() if self._is_asked_for(request, key, each)]

    async def _one(self, request: web.Request) -> web.StreamResponse:
        plural, name = request.match_info["plural"], request.match_info["name"]
        self.calls.append((request.method, request.path))
        if plural in self.forbidden:
            return refusal(403, f"{plural} is forbidden")
        if plural == "namespaces" and request.method == "GET":
            return web.json_response({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}})
        key = (api_version(request), *place(request, name))
        found = self.objects.get(key)
        body = await request.read()
        applies = request.headers.get("Content-Type", "").startswith("application/apply-patch")
        if found is None and applies:
            return web.json_response(self.add(key[0], plural, _read(request, body)), status=201)
        if found is None:
            return refusal(404, f'{plural} "{name}" not found')
        if request.method == "DELETE":
            self._delete(key)
            return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if request.method in {"PUT", "PATCH"}:
            self._change(found, _read(request, body), replace=request.method == "PUT" or applies)
        return web.json_response(found)

    def _delete(self, key: Key) -> None:
        deleted = self.objects.pop(key)
        self._version += 1
        deleted = {**deleted, "metadata": {**deleted["metadata"], "resourceVersion": str(self._version)}}
        self._deleted.append((self._version, key, deleted))
        if key[1] == "deployments":
            wanted = deleted["spec"]["selector"]["matchLabels"].items()
            for other, each in list(self.objects.items()):
                labels = each["metadata"].get("labels") or {}
                if other[1] in {"pods", "replicasets"} and other[2] == key[2] and wanted <= labels.items():
                    del self.objects[other]

    def _change(self, found: Object, change: Object, *, replace: bool) -> None:
        before = json.dumps(found.get("spec"), sort_keys=True)
        if replace:
            kept = {name: found["metadata"][name] for name in ("uid", "creationTimestamp", "generation")}
            revision = (found["metadata"].get("annotations") or {}).get(_REVISION)
            status, kind, version = found.get("status"), found["kind"], found["apiVersion"]
            found.clear()
            found.update(change)
            found["metadata"].update(kept)
            found.update(kind=kind, apiVersion=version)
            if status is not None:
                found["status"] = status
            if revision:
                found["metadata"].setdefault("annotations", {})[_REVISION] = revision
        else:
            _merge(found, change)
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        if found["kind"] == "Deployment" and json.dumps(found["spec"], sort_keys=True) != before:
            found["metadata"]["generation"] += 1
            self.roll_out(found)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        if "pods/log" in self.forbidden:
            return refusal(403, "pods/log is forbidden")
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        for line in self.logs.get(request.match_info["name"], []):
            await answer.write(line.encode())
        return answer


def _read(request: web.Request, body: bytes) -> Object:
    if "protobuf" in request.headers.get("Content-Type", ""):
        return read_secret(body)
    return dict(yaml.safe_load(body))


def _path(version: str) -> str:
    return f"apis/{version}" if "/" in version else f"api/{version}"


def api_version(request: web.Request) -> str:
    group = request.match_info.get("group")
    return f"{group}/{request.match_info['version']}" if group else request.match_info["version"]


def place(request: web.Request, name: str) -> tuple[str, str, str]:
    return request.match_info["plural"], request.match_info.get("namespace", ""), name


def refusal(status: int, message: str) -> web.Response:
    reason = {404: "NotFound", 409: "AlreadyExists", 403: "Forbidden"}[status]
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return web.json_response({**document, "message": message}, status=status)


def timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _version_of(each: Object) -> int:
    return int(each["metadata"]["resourceVersion"])


def _matches(labels: Mapping[str, str], part: str) -> bool:
    name, _, value = part.partition("=")
    return labels.get(name) == value


def _has_field(each: Object, part: str) -> bool:
    path, _, value = part.partition("=")
    found: Any = each
    for step in path.split("."):
        found = (found or {}).get(step)
    return bool(found == value)


def _merge(found: Object, change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            _merge(found[key], value)
        elif value is None:
            found.pop(key, None)
        else:
            found[key] = value


class Serving:
    """The server while it runs, and a kubeconfig for it."""

    def __init__(self, server: ApiServer, port: int, folder: Path) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                    "clusters": [{"name": "test", "cluster": {"server": self.url}}],
                    "users": [{"name": "test", "user": {"token": "kubernetes-token"}}],
                }
            )
        )


@contextmanager
def serving(server: ApiServer, folder: Path) -> Iterator[Serving]:
    """Serve from a thread until the context ends."""
    port = free_port()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield Serving(server, port, folder)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
