"""Where callers reach the APIs."""

import json
from collections.abc import Mapping
from typing import Any

from cortex_operator.apis import SELECTOR
from cortex_operator.config import OperatorConfig
from cortex_operator.kubernetes import Kubernetes, Object

GATEWAYS = "cortex.dev/api=true,app.kubernetes.io/component=gateway"

Endpoints = Mapping[tuple[str, str], str]
"""The URL of each API, by its namespace and name."""


async def find(config: OperatorConfig, kubernetes: Kubernetes, name: str | None = None) -> Endpoints:
    """Return the URLs of every API, or of one.

    That is its path, after the configured URL, else its own gateway Service, else the shared gateway.
    """
    paths, bases = {}, {}
    more = f",apiName={name}" if name else ""
    async for each in kubernetes.list("v1/configmaps", config.namespaces, labels=SELECTOR + more):
        key = (each["metadata"]["namespace"], each["metadata"]["labels"]["apiName"])
        paths[key] = str((api_json(each).get("gateway") or {}).get("endpoint") or f"/{key[1]}")
    if config.endpoint_url:
        return {key: config.endpoint_url.rstrip("/") + path for key, path in paths.items()}
    async for each in kubernetes.list("v1/services", config.namespaces, labels=GATEWAYS + more):
        namespace, service = each["metadata"]["namespace"], each["metadata"]["name"]
        if service.endswith("-admin"):  # of the same gateway, for metrics
            continue
        port = each["spec"]["ports"][0]["port"]
        key = (namespace, each["metadata"]["labels"]["apiName"])
        bases[key] = f"http://{service}.{namespace}.svc.cluster.local{'' if port == 80 else f':{port}'}"
    found = {key: bases.get(key, config.gateway_url) for key in paths}
    return {key: base.rstrip("/") + paths[key] for key, base in found.items() if base}


def api_json(config_map: Object) -> dict[str, Any]:
    """Return what the chart told the API's glue, or nothing when it cannot be read."""
    try:
        return dict(json.loads((config_map.get("data") or {}).get("api.json", "{}")))
    except ValueError:
        return {}
