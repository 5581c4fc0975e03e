"""Deploys, updates, restarts and deletes APIs: helm does it, with the chart of the operator's image."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import yaml

from cortex_async.errors import CortexError
from cortex_operator.apis import Api
from cortex_operator.catalogue import Catalogue
from cortex_operator.config import DeployConfig
from cortex_operator.errors import NotAllowed, Refused
from cortex_operator.helm import Helm
from cortex_operator.kubernetes import Kubernetes
from cortex_operator.releases import merge
from cortex_operator.specification import ENTRY_KEYS

RESTARTED = "cortex.dev/restartedAt"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,40}[a-z0-9])?")
_FILE_BYTES = 2**20
_Entry = Mapping[str, Any]
T = TypeVar("T")


class Deployer:
    """Changes APIs. Raises Refused, NotDeployed, NotAllowed, HelmFailed and KubernetesError."""

    def __init__(self, config: DeployConfig, catalogue: Catalogue, kubernetes: Kubernetes, helm: Helm) -> None:
        self._config = config
        self._catalogue = catalogue
        self._kubernetes = kubernetes
        self._helm = helm
        self._changes: set[asyncio.Task[Any]] = set()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def to_the_end(self, change: Coroutine[Any, Any, T]) -> T:
        """Await a change, which goes on when its caller goes away: helm must not stop half-way."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for the changes under way."""
        await asyncio.gather(*self._changes, return_exceptions=True)

    async def deploy(self, file: bytes, *, force: bool, operator_url: str) -> list[dict[str, Any]]:
        """Deploy the entries of a file, one after the other, also when one of them fails."""
        self._check_enabled("deploy")
        results: list[dict[str, Any]] = []
        for entry in read_entries(file):
            try:
                message = await self._deploy(entry, force)
                document = await self._catalogue.document(str(entry["name"]), operator_url)
                results.append({"api": document, "message": message, "error": ""})
            except CortexError as error:
                results.append({"api": None, "message": "", "error": f"{entry.get('name')}: {error}"})
        return results

    async def refresh(self, name: str, *, force: bool) -> str:
        """Restart the replicas of an API, by a rollout; return what to tell."""
        api = await self._catalogue.find(name)
        if api.is_updating and not force:
            raise Refused("operator.api_updating", f"{name} is updating (override with --force)")
        await self._kubernetes.annotate_template(
            api.namespace, api.deployment, {RESTARTED: datetime.now(UTC).isoformat(timespec="seconds")}
        )
        return f"updating {name} (AsyncAPI)"

    async def delete(self, name: str) -> str:
        """Uninstall the release of an API; return what to tell."""
        self._check_enabled("delete")
        async with self._locks[name]:
            api = await self._catalogue.find(name)
            self._check_namespace(api)
            await self._helm.uninstall(api.release, api.namespace)
        return f"deleting {name}"

    async def _deploy(self, entry: _Entry, force: bool) -> str:
        check_entry(entry)
        name = str(entry["name"])
        async with self._locks[name]:
            api = await self._catalogue.find_or_none(name)
            if api is None:
                await self._helm.upgrade(name, self._config.namespaces[0], [self._config.values, entry])
                return f"creating {name} (AsyncAPI)"
            self._check_namespace(api)
            return await self._update(api, entry, force)

    async def _update(self, api: Api, entry: _Entry, force: bool) -> str:
        deployed = await self._catalogue.deployed_values(api)
        same = deployed is not None and deployed.given == merge(self._config.values, entry, keep_null=True)
        if same and not force:
            return f"{api.name} (AsyncAPI) is {'already updating' if api.is_updating else 'up to date'}"
        if api.is_updating and not force:
            raise Refused("operator.api_updating", f"{api.name} is updating (override with --force)")
        await self._helm.upgrade(api.release, api.namespace, [self._config.values, entry])
        return f"updating {api.name} (AsyncAPI)"

    def _check_enabled(self, what: str) -> None:
        if not self._config.enabled:
            raise NotAllowed(
                f"this operator does not {what} APIs: use helm, or set deploy.enabled in the operator's values",
                "operator.deploy_disabled",
            )

    def _check_namespace(self, api: Api) -> None:
        if api.namespace not in self._config.namespaces:
            raise NotAllowed(
                f"{api.name} is in namespace {api.namespace}, where this operator may change nothing",
                "operator.deploy_disabled",
            )


def read_entries(file: bytes) -> Sequence[_Entry]:
    """Read a `cortex.yaml`: a list of entries; raises Refused."""
    if len(file) > _FILE_BYTES:
        raise Refused("spec.too_large", f"the configuration is larger than {_FILE_BYTES} bytes")
    try:
        found = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("spec.malformed_config", f"the configuration is no YAML: {error}") from error
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise Refused(
            "spec.malformed_config", "the configuration must be a list of APIs, each with a name and a kind"
        )
    names = [str(each.get("name")) for each in found]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise Refused("spec.duplicate_name", f"the configuration has more than one API called {twice[0]}")
    return found


def check_entry(entry: _Entry) -> None:
    """Refuse what is no AsyncAPI, and what is the platform's to say; the chart checks the rest."""
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused(
            "spec.invalid_name",
            "name must have 1 to 42 lower-case letters, digits and dashes, a letter first and no dash last",
        )
    if entry.get("kind") != "AsyncAPI":
        raise Refused("spec.invalid_kind", f"kind is {entry.get('kind')!r}; this cluster runs AsyncAPI alone")
    if unknown := sorted(map(str, entry.keys() - set(ENTRY_KEYS))):
        raise Refused(
            "spec.unsupported_key",
            f"{', '.join(unknown)}: an entry has {', '.join(ENTRY_KEYS)}; the rest is the platform's to set",
        )
    networking = entry.get("networking") or {}
    if not isinstance(networking, dict) or networking.keys() - {"endpoint"}:
        raise Refused("spec.unsupported_key", "networking has endpoint alone; the rest is the platform's to set")
