"""The Kubernetes API by plain HTTP: lists, patches, logs.

A client package would bring 50 MB of models for five calls; the operator needs fields of a few objects.
"""

import base64
import json
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from cortex_async.errors import ConfigError
from cortex_operator.errors import KubernetesError

Object = dict[str, Any]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE = 500
"""Objects of one answer: so that thousands of pods never are in memory at once."""
_SECONDS = 20.0
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True)
class Cluster:
    """Where the API server is, and how it knows the operator."""

    url: str
    tls: ssl.SSLContext | None = None
    token_file: Path | None = None
    token: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers of a call; the token of a pod is changed every hour, so it is read each time."""
        token = self.token_file.read_text().strip() if self.token_file else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def find_cluster() -> Cluster:
    """Return the cluster that KUBECONFIG names, or the one that the pod is in; raises ConfigError."""
    if file := os.environ.get("KUBECONFIG"):
        return _from_kubeconfig(Path(file))
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("there is no cluster: run in a pod, or set KUBECONFIG")
    tls = _trusting(str(_SERVICE_ACCOUNT / "ca.crt"))
    address = f"[{host}]" if ":" in host else host
    return Cluster(f"https://{address}:{port}", tls, _SERVICE_ACCOUNT / "token")


def _from_kubeconfig(file: Path) -> Cluster:
    try:
        document = yaml.safe_load(file.read_text())
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"]).get("user") or {}
        tls = _tls(cluster, user) if cluster["server"].startswith("https:") else None
        return Cluster(cluster["server"].rstrip("/"), tls, token=user.get("token"))
    except (OSError, ssl.SSLError, KeyError, TypeError, StopIteration, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} is no kubeconfig that can be used: {error!r}") from error


def _named(items: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next(each for each in items if each["name"] == name)


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as folder:

        def path(where: Mapping[str, Any], key: str) -> str | None:
            if f"{key}-data" not in where:
                return where.get(key)
            file = Path(folder, key)
            file.write_bytes(base64.b64decode(where[f"{key}-data"]))
            return str(file)

        context = _trusting(path(cluster, "certificate-authority"))
        if certificate := path(user, "client-certificate"):
            context.load_cert_chain(certificate, path(user, "client-key"))
        return context


def _trusting(authority: str | None) -> ssl.SSLContext:
    """Trust the cluster's own authority; those of many clusters have no key usage, which Python 3.13 asks for."""
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Kubernetes:
    """Calls of one cluster's API. Every one raises KubernetesError."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession) -> None:
        self._cluster = cluster
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, cluster: Cluster) -> AsyncIterator["Kubernetes"]:
        """Connect; connections end with the context."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:
            yield cls(cluster, session)

    async def list(
        self,
        resource: str,
        namespaces: Sequence[str] = (),
        *,
        labels: str = "",
        fields: str = "",
        names_only: bool = False,
    ) -> AsyncIterator[Object]:
        """Yield objects of some namespaces, or all, a page in memory at a time; `resource` as `apps/v1/pods`."""
        group, _, plural = resource.rpartition("/")
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        query = {"limit": str(_PAGE)}
        query |= {"labelSelector": labels} if labels else {}
        query |= {"fieldSelector": fields} if fields else {}
        headers = {"Accept": _NAMES_ONLY if names_only else "application/json"}
        for where in [f"/namespaces/{each}/" for each in namespaces] or ["/"]:
            follow: str | None = ""
            while follow is not None:
                page = await self._call(
                    "GET", f"{base}{where}{plural}", query | ({"continue": follow} if follow else {}), headers
                )
                for each in page.get("items") or ():
                    yield each
                follow = (page.get("metadata") or {}).get("continue") or None

    async def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None when it is not there."""
        group, _, plural = resource.rpartition("/")
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        try:
            return await self._call("GET", f"{base}/namespaces/{namespace}/{plural}/{name}")
        except KubernetesError as error:
            if error.reason_status == 404:
                return None
            raise

    async def annotate_template(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Change annotations of a Deployment's pods, which replaces them one after the other."""
        patch = {"spec": {"template": {"metadata": {"annotations": dict(annotations)}}}}
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        await self._call("PATCH", path, {"fieldManager": "cortex-operator"}, headers, json.dumps(patch).encode())

    @asynccontextmanager
    async def log(
        self, namespace: str, pod: str, container: str, *, follow: bool, lines: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a container's log, beginning with the last `lines`; yields its pieces while they come."""
        query = {"container": container, "tailLines": str(lines)} | ({"follow": "true"} if follow else {})
        url = f"{self._cluster.url}/api/v1/namespaces/{namespace}/pods/{pod}/log"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS)
        try:
            async with self._session.get(
                url, params=query, headers=self._cluster.headers(), ssl=self._cluster.tls or True, timeout=timeout
            ) as answer:
                if answer.status != 200:
                    raise await _problem(answer)
                yield answer.content.iter_any()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KubernetesError(f"the log of {pod} cannot be read: {error or type(error).__name__}") from error

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Object:
        try:
            async with self._session.request(
                method,
                self._cluster.url + path,
                params=query,
                data=body,
                headers={**(headers or {}), **self._cluster.headers()},
                ssl=self._cluster.tls or True,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
            ) as answer:
                if answer.status >= 300:
                    raise await _problem(answer)
                return dict(json.loads(await answer.read()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubernetesError(
                f"the Kubernetes API does not answer {method} {path}: {error or type(error).__name__}"
            ) from error


async def _problem(answer: aiohttp.ClientResponse) -> KubernetesError:
    """Return what the API server has against a call: it says so in a Status object."""
    text = await answer.text(errors="replace")
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = text[:500]
    return KubernetesError(f"the Kubernetes API answers {answer.status}: {said}", answer.status)


async def gathered(objects: AsyncIterator[Object]) -> Sequence[Object]:
    """Return all of them."""
    return [each async for each in objects]
