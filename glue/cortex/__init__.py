"""The Python client of cortex-async: `cortex.client()` deploys and lists APIs, and submits requests to them.

It needs no configuration in a container of an API. Its calls are those of the original client, and `submit`, `map`
and `request` beside them; `cortex.async_client()` has the same calls as coroutines.
"""

from __future__ import annotations

from typing import Any

from cortex import environments
from cortex.aio import AsyncClient, AsyncRequest
from cortex.client import Client
from cortex.operator_api import check_cluster_version
from cortex.request import Request
from cortex.version import __version__

__all__ = [
    "AsyncClient",
    "AsyncRequest",
    "Client",
    "Request",
    "__version__",
    "async_client",
    "client",
    "env_delete",
    "env_list",
    "new_client",
]


def client(env_name: str | None = None) -> Client:
    """Return a client of an environment, or of the default one; raises NotFound, ConfigError, VersionMismatch."""
    check_cluster_version()
    return Client(environments.load().get(env_name))


def async_client(env_name: str | None = None) -> AsyncClient:
    """Return a client whose calls are coroutines; raises what `client` raises."""
    return AsyncClient(client(env_name))


def new_client(env_name: str, operator_endpoint: str) -> Client:
    """Add an environment, and return a client of it. Raises ReadOnlyFolder and ConfigError."""
    environments.configure(env_name, operator_endpoint)
    return client(env_name)


def env_list() -> dict[str, Any]:
    """Return the environments of this machine: `default_environment`, and `environments`."""
    return environments.load().document()


def env_delete(name: str) -> None:
    """Remove an environment. Raises NotFound, ReadOnlyFolder and ConfigError."""
    environments.delete(name)
