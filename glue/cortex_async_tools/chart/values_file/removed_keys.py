"""Fields that Cortex 0.36 removed, and what replaces them. Before, Cortex ran a Python class, not containers."""

from cortex_async_tools.chart.values_file.document import FieldPath

_SUCCESSORS: dict[FieldPath, str] = {
    ("predictor",): "pod.containers",
    ("handler",): "pod.containers",
    ("compute",): "the compute of each of pod.containers",
    ("autoscaling", "max_replica_concurrency"): "pod.max_concurrency",
    ("autoscaling", "target_replica_concurrency"): "autoscaling.target_in_flight",
}


def replacement_hint(path: FieldPath) -> str | None:
    """Return what replaces a removed field, or None for any other field."""
    successor = _SUCCESSORS.get(path)
    return successor and f"it is from before Cortex 0.36; {successor} took its place"
