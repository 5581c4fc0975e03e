"""Fields that users of Kubernetes and of other charts write by habit, and what has their place here."""

from typing import Any

from cortex_async_tools.chart.values_file.document import FieldPath

_REPLICAS = "the autoscaling section sets how many pods run: min_replicas, max_replicas and init_replicas"
_CONTAINERS_COMPUTE = "the compute of each of pod.containers does this: `compute: {cpu: 200m, mem: 512Mi}`"

_ANYWHERE = {
    "replicas": _REPLICAS,
    "replicaCount": _REPLICAS,
    "ingress": "networking.ingress makes an Ingress: `networking: {ingress: {enabled: true}}`",
    "resources": _CONTAINERS_COMPUTE,
    "volumes": "extraVolumes, at the top level, has the pod's volumes",
    "volumeMounts": "extraVolumeMounts, at the top level, mounts volumes into every one of pod.containers",
    "envFrom": "extraEnv, at the top level, takes single keys of Secrets and ConfigMaps by valueFrom",
}

_ENV = (
    "env maps each name to its value here: `env: {MODEL: small}`; a list with valueFrom goes into extraEnv, "
    "at the top level"
)


def habit_hint(path: FieldPath) -> str | None:
    """Return what to write instead of an unknown field, or None when nothing is known of it."""
    name = str(path[-1])
    if name.startswith("x-"):
        return "fields of your own are not allowed; put an anchor (&name) where its value is first used"
    return _ANYWHERE.get(name)


def form_hint(path: FieldPath, value: Any) -> str | None:
    """Return how a known field is written when it came in the form of a Kubernetes manifest, else None."""
    return _ENV if path[-1:] == ("env",) and isinstance(value, list) else None
