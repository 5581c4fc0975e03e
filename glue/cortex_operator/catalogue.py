"""Finds the cluster's APIs, and makes the documents of them that clients get."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from cortex_operator import endpoints, releases, specification
from cortex_operator.apis import REVISION, SELECTOR, Api, read
from cortex_operator.config import OperatorConfig
from cortex_operator.endpoints import Endpoints
from cortex_operator.errors import KubernetesError, NotDeployed
from cortex_operator.kubernetes import Kubernetes, Object, gathered
from cortex_operator.releases import Revision, Values
from cortex_operator.replicas import counts, moment

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


class Catalogue:
    """The APIs of the cluster. Every call raises KubernetesError."""

    def __init__(self, config: OperatorConfig, kubernetes: Kubernetes) -> None:
        self._config = config
        self._kubernetes = kubernetes

    async def all(self) -> Sequence[Api]:
        """Return every API, by name."""
        found = [read(each) async for each in self._list("apps/v1/deployments", SELECTOR)]
        return sorted(found, key=lambda each: (each.name, each.namespace))

    async def find(self, name: str) -> Api:
        """Return one API; raises NotDeployed."""
        if (found := await self.find_or_none(name)) is None:
            raise NotDeployed(name)
        return found

    async def find_or_none(self, name: str) -> Api | None:
        """Return one API, or None: of several namespaces' the first."""
        if not _LABEL_VALUE.fullmatch(name):
            return None
        found = [read(each) async for each in self._list("apps/v1/deployments", f"{SELECTOR},apiName={name}")]
        return min(found, key=lambda each: each.namespace, default=None)

    async def documents(self, operator_url: str) -> list[dict[str, Any]]:
        """Return every API as `get` lists them."""
        apis = await self.all()
        urls = await endpoints.find(self._config, self._kubernetes)
        return [self._document(each, urls, operator_url) for each in apis]

    async def document(self, name: str, operator_url: str) -> dict[str, Any]:
        """Return one API with its specification and its history, as `get <api>` does; raises NotDeployed."""
        api = await self.find(name)
        document = self._document(api, await self._endpoint(api), operator_url)
        revisions, values = await self._release(api)
        versions = [
            {"api_id": f"{api.name}-{each.number}", "last_updated": int(each.deployed)} for each in revisions
        ] or await self._rollouts(api)
        document["metadata"]["id"] = versions[0]["api_id"] if versions else document["metadata"]["id"]
        document["api_versions"] = versions
        if values is not None:
            entry, submitted = specification.of_release(api, values), specification.submitted(values)
        else:
            entry = submitted = specification.of_deployment(api, await self._told(api))
        document["spec"] = entry | specification.ids(self._config, api, document, submitted)
        return document

    async def description(self, name: str, operator_url: str, now: datetime) -> dict[str, Any]:
        """Return one API with the counts of its replicas, as `describe <api>` does; raises NotDeployed."""
        api = await self.find(name)
        document = self._document(api, await self._endpoint(api), operator_url)
        document["status"]["replica_counts"] = await self.replica_counts(api, now)
        return document

    async def replica_counts(self, api: Api, now: datetime) -> dict[str, int]:
        """Count the pods of an API by what they do."""
        current = next((each["hash"] for each in await self._replica_sets(api) if each["current"]), None)
        return counts(await self.pods(api), current, api.requested, now)

    async def pods(self, api: Api) -> Sequence[Object]:
        """Return the pods of an API."""
        labels = f"{SELECTOR},apiName={api.name}"
        return await gathered(self._kubernetes.list("v1/pods", [api.namespace], labels=labels))

    async def pending_replicas(self) -> int:
        """Count the pods of all APIs that wait for a node, or for their images."""
        namespaces = self._config.namespaces
        listed = self._kubernetes.list(
            "v1/pods", namespaces, labels=SELECTOR, fields="status.phase=Pending", names_only=True
        )
        return len(await gathered(listed))

    async def api_json(self, api: Api) -> dict[str, Any]:
        """Return what the API's glue is told."""
        return await self._told(api)

    async def deployed_values(self, api: Api) -> Values | None:
        """Return what the newest revision was made of, where Helm's Secrets may be read."""
        return (await self._release(api))[1]

    def _list(self, resource: str, labels: str) -> AsyncIterator[Object]:
        return self._kubernetes.list(resource, self._config.namespaces, labels=labels)

    def _document(self, api: Api, urls: Endpoints, operator_url: str) -> dict[str, Any]:
        return {
            "metadata": {
                "name": api.name,
                "kind": "AsyncAPI",
                "id": f"{api.name}-{api.revision}",
                "deployment_id": f"{api.uid[:8]}-{api.revision}",
                "last_updated": api.last_updated,
            },
            "status": api.status(),
            "endpoint": urls.get((api.namespace, api.name), ""),
            "dashboard_url": f"{operator_url}/dashboard/{api.name}",
        }

    async def _endpoint(self, api: Api) -> Endpoints:
        return await endpoints.find(self._config, self._kubernetes, api.name)

    async def _told(self, api: Api) -> dict[str, Any]:
        found = await self._kubernetes.get("v1/configmaps", api.namespace, api.deployment)
        return endpoints.api_json(found) if found else {}

    async def _release(self, api: Api) -> tuple[Sequence[Revision], Values | None]:
        if not self._config.releases:
            return [], None
        try:
            revisions = await releases.history(self._kubernetes, api.namespace, api.release)
            if not revisions:
                return [], None
            newest = revisions[0].number
            return revisions, await releases.values(self._kubernetes, api.namespace, api.release, newest)
        except KubernetesError as error:
            if releases.may_not_read(error):
                return [], None
            raise

    async def _rollouts(self, api: Api) -> list[dict[str, Any]]:
        """Return the history that Kubernetes keeps: a ReplicaSet for each pod template."""
        return [
            {"api_id": f"{api.name}-{each['revision']}", "last_updated": each["created"]}
            for each in await self._replica_sets(api)
        ]

    async def _replica_sets(self, api: Api) -> Sequence[dict[str, Any]]:
        """Return the ReplicaSets of an API, newest first."""
        labels = f"{SELECTOR},apiName={api.name}"
        found = []
        async for each in self._kubernetes.list(
            "apps/v1/replicasets", [api.namespace], labels=labels, names_only=True
        ):
            metadata = each["metadata"]
            revision = (metadata.get("annotations") or {}).get(REVISION, "0")
            found.append(
                {
                    "hash": metadata["labels"].get("pod-template-hash"),
                    "revision": revision,
                    "current": revision == api.revision,
                    "created": int(moment(metadata["creationTimestamp"]).timestamp()),
                }
            )
        return sorted(found, key=lambda each: -int(each["revision"]))
