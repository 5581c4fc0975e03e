"""The `spec` of an API: its entry with all defaults, and what identifies it."""

from collections.abc import Mapping
from typing import Any

from cortex_operator.apis import Api
from cortex_operator.config import OperatorConfig
from cortex_operator.releases import Values, merge

ENTRY_KEYS = ("name", "kind", "pod", "autoscaling", "node_groups", "update_strategy", "networking")
"""The keys of an AsyncAPI's specification; all other values say where and how it is installed."""


def of_release(api: Api, values: Values) -> dict[str, Any]:
    """Return the entry with the chart's defaults, from what the release was made of."""
    merged = merge(values.defaults, values.given)
    entry = {key: merged[key] for key in ENTRY_KEYS if key in merged}
    endpoint = (entry.get("networking") or {}).get("endpoint") or f"/{api.name}"
    return entry | {"name": api.name, "kind": "AsyncAPI", "networking": {"endpoint": endpoint}}


def of_deployment(api: Api, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the entry can be seen in what runs, and in what its glue was told."""
    pod = told.get("pod") or {}
    return {
        "name": api.name,
        "kind": "AsyncAPI",
        "pod": {
            "port": pod.get("port"),
            "max_concurrency": pod.get("maxConcurrency"),
            "containers": [each for each in api.containers if each["name"] != "dispatcher"],
        },
        "networking": {"endpoint": (told.get("gateway") or {}).get("endpoint")},
    }


def submitted(values: Values) -> dict[str, Any]:
    """Return the entry as it was given."""
    return {key: values.given[key] for key in ENTRY_KEYS if key in values.given}


def ids(
    config: OperatorConfig, api: Api, document: Mapping[str, Any], submitted_api_spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a spec has beside the entry."""
    metadata, versions = document["metadata"], document["api_versions"]
    return {
        "id": metadata["id"],
        "spec_id": metadata["id"],
        "pod_id": f"{api.name}-{api.revision}",
        "deployment_id": metadata["deployment_id"],
        "key": f"{config.cluster_name}/{api.name}",
        "initial_deployment_time": versions[-1]["last_updated"] if versions else api.last_updated,
        "last_updated": api.last_updated,
        "metadata_root": f"{api.namespace}/{api.release}",
        "submitted_api_spec": submitted_api_spec,
    }
