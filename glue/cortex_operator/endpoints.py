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
    """Return the URLs of every API, or of one: its path, after its own gateway Service or the configured URL."""
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
    return {key: bases[key] + path for key, path in paths.items() if key in bases}


def api_json(config_map: Object) -> dict[str, Any]:
    """Return what the chart told the API's glue, or nothing when it cannot be read."""
    try:
        return dict(json.loads((config_map.get("data") or {}).get("api.json", "{}")))
    except ValueError:
        return {}
