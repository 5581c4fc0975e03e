"""Fields of Cortex before 0.36, which ran a Python class where containers are now, and what took their places."""

from cortex_async_tools.chart.values_file.document import FieldPath

_SUCCESSORS: dict[FieldPath, str] = {
    ("predictor",): "pod.containers",
    ("handler",): "pod.containers",
    ("compute",): "the compute of each of pod.containers",
    ("autoscaling", "max_replica_concurrency"): "pod.max_concurrency",
    ("autoscaling", "target_replica_concurrency"): "autoscaling.target_in_flight",
}


def replacement_hint(path: FieldPath) -> str | None:
    """Return what took the place of a field of old, None for any other."""
    successor = _SUCCESSORS.get(path)
    return successor and f"it is from before Cortex 0.36; {successor} took its place"
