"""The ConfigMaps of the APIs, listed and then watched (Kubernetes' API concepts, detection of changes)."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from cortex_async import limits
from cortex_async.backoff import delay_seconds
from cortex_async.errors import CortexError
from cortex_async.http import kubernetes

log = logging.getLogger(__name__)

SELECTOR = "cortex.dev/api=true,app.kubernetes.io/component=api"
_GONE = 410


class KubernetesError(CortexError):
    """The Kubernetes API did not answer as it should; `status` is HTTP's, if there was one."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Found:
    """A ConfigMap: when it was made (RFC 3339), and its `api.json`, if it has one."""

    namespace: str
    name: str
    created: str
    text: str | None


class Listener(Protocol):
    """Who is told what there is."""

    def listed(self, namespace: str | None, found: Sequence[Found]) -> None:
        """Hear of all that there are, in a namespace or (None) in all of them."""
        ...

    def changed(self, found: Found) -> None:
        """Hear of one that is new, or has changed."""
        ...

    def deleted(self, found: Found) -> None:
        """Hear of one that is gone."""
        ...


class Cluster:
    """The Kubernetes API at `server`; `account` is the folder of the service account's token."""

    def __init__(self, http: aiohttp.ClientSession, server: str, account: Path) -> None:
        self._http = http
        self._url = f"{server.rstrip('/')}/api/v1"
        self._token = account / "token"
        self._tls = kubernetes.trust(account / "ca.crt") if server.startswith("https:") else True

    async def list(self, namespace: str | None) -> tuple[list[Found], str]:
        """Return all, and the resource version to watch from; raises KubernetesError."""
        found: list[Found] = []
        query = {"limit": str(limits.KUBERNETES_PAGE)}
        while True:
            async with self._get(namespace, query, limits.KUBERNETES_SECONDS) as answer:
                page = await _document(answer)
            found += [_found(each) for each in page.get("items") or ()]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion", ""))
            query["continue"] = metadata["continue"]

    async def watch(self, namespace: str | None, version: str) -> AsyncIterator[dict[str, Any]]:
        """Yield events from a resource version on, until the server ends them; raises KubernetesError."""
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(limits.KUBERNETES_WATCH_SECONDS),
        }
        silent = limits.KUBERNETES_WATCH_SECONDS + limits.KUBERNETES_SECONDS
        async with self._get(namespace, query, silent) as answer:
            if answer.status >= 300:
                await _document(answer)
            line = bytearray()  # aiohttp's own lines are short, and a ConfigMap may have a megabyte
            async for piece in answer.content.iter_any():
                head, *rest = piece.split(b"\n")
                line += head
                for each in rest:
                    if line.strip():
                        yield _decoded(bytes(line))
                    line = bytearray(each)

    def _get(
        self, namespace: str | None, query: Mapping[str, str], silent_seconds: float
    ) -> "aiohttp.client._RequestContextManager":
        where = f"/namespaces/{namespace}" if namespace else ""
        # the token of a pod is changed every hour, so it is read each time
        token = self._token.read_text().strip() if self._token.exists() else ""
        return self._http.get(
            f"{self._url}{where}/configmaps",
            params={"labelSelector": SELECTOR, **query},
            headers={"Authorization": f"Bearer {token}"} if token else {},
            ssl=self._tls,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.AWS_CONNECT_SECONDS, sock_read=silent_seconds
            ),
        )


class Watcher:
    """Tells a listener of one namespace's ConfigMaps, or of all (None), for ever."""

    def __init__(self, cluster: Cluster, namespace: str | None, listener: Listener) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._listener = listener
        self._version: str | None = None  # None: what there is has to be listed
        self._failures = 0

    async def run(self) -> None:
        """Watch until cancelled. While Kubernetes is away, what was known goes on to hold."""
        while True:
            try:
                await self._follow()
                await asyncio.sleep(limits.KUBERNETES_AGAIN_SECONDS)
            except KubernetesError as error:
                if error.status == _GONE:
                    self._version = None
                await self._pause(error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                await self._pause(error)

    async def _follow(self) -> None:
        if self._version is None:
            found, self._version = await self._cluster.list(self._namespace)
            self._listener.listed(self._namespace, found)
            self._failures = 0
        async for event in self._cluster.watch(self._namespace, self._version):
            self._take(str(event.get("type")), event.get("object") or {})
            self._failures = 0

    def _take(self, kind: str, document: Mapping[str, Any]) -> None:
        if kind == "ERROR":
            raise KubernetesError(str(document.get("message")), int(document.get("code") or 0))
        if kind == "DELETED":
            self._listener.deleted(_found(document))
        elif kind in ("ADDED", "MODIFIED"):
            self._listener.changed(_found(document))
        self._version = str(document["metadata"]["resourceVersion"])

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        seconds = delay_seconds(self._failures, limits.KUBERNETES_RETRY_LONGEST_SECONDS)
        facts = {"reason": str(error) or type(error).__name__, "namespace": self._namespace, "seconds": seconds}
        log.warning("the APIs cannot be watched; those that are known are served on", extra=facts)
        await asyncio.sleep(seconds)


def _found(document: Mapping[str, Any]) -> Found:
    metadata = document["metadata"]
    text = (document.get("data") or {}).get("api.json")
    return Found(metadata["namespace"], metadata["name"], str(metadata.get("creationTimestamp", "")), text)


async def _document(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    body = await answer.read()
    if answer.status >= 300:
        said = body[: limits.BODY_EXCERPT_BYTES].decode(errors="replace")
        raise KubernetesError(f"Kubernetes answers {answer.status}: {said}", answer.status)
    return _decoded(body)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError) as error:
        raise KubernetesError(f"Kubernetes sends what is no JSON object: {body[:200]!r}") from error
