"""Warnings about resources, ports, disruption budgets and shutdown."""

from collections.abc import Iterator

from cortex_async_tools.lint.checks.check import FieldMessage, MergedValues, containers


def no_memory_request(values: MergedValues) -> Iterator[FieldMessage]:
    """A container without a memory request can be placed on any node, and is killed first when memory runs out:
    set `compute.mem`, or set it to null when that is intended."""
    for path, container in containers(values):
        if "mem" not in (container.get("compute") or {}):
            where = (*path, "compute") if container.get("compute") else path
            yield (
                where,
                f"container {container['name']} requests no memory, so that it is killed first when its node runs "
                "out; set compute.mem (null when that is intended)",
            )


def low_port(values: MergedValues) -> Iterator[FieldMessage]:
    """Some nodes do not let a non-root process listen on a port below 1024: use a port above 1023."""
    port = values["pod"]["port"]
    if port < 1024 and values["securityContext"]["level"] == "restricted":
        yield (
            ("pod", "port"),
            f"some nodes do not let a non-root process listen on {port}; use a port above 1023",
        )


def zero_disruption_budget(values: MergedValues) -> Iterator[FieldMessage]:
    """A disruption budget of zero forbids every eviction, so that a node with such a pod cannot be drained: allow
    at least 1."""
    for parent, holder in (((), values), (("gateway",), values["gateway"])):
        budget = holder["podDisruptionBudget"]
        if budget["enabled"] and str(budget["maxUnavailable"]) in {"0", "0%"}:
            yield (
                (*parent, "podDisruptionBudget", "maxUnavailable"),
                "it forbids every eviction, so that a node with such a pod cannot be drained; allow at least 1",
            )


def pre_stop_without_drain(values: MergedValues) -> Iterator[FieldMessage]:
    """A pre_stop replaces the chart's own, which waits until no request is in flight. When it ends, the container
    is told to stop: end it with a call of /drain on port 15000, or leave it out."""
    for path, container in containers(values):
        if "pre_stop" in container and "/drain" not in str(container["pre_stop"]):
            yield (
                (*path, "pre_stop"),
                f"when it ends, container {container['name']} is told to stop, even with requests in flight; end "
                "it with a call of http://localhost:15000/drain, which waits for them, or leave it out",
            )


def whole_cores(values: MergedValues) -> Iterator[FieldMessage]:
    """A cpu of 100 or more means that many cores, which hardly any node has: write thousandths with an `m`."""
    for path, container in containers(values):
        cpu = (container.get("compute") or {}).get("cpu")
        if cpu is not None and str(cpu).isdigit() and int(cpu) >= 100:
            yield (
                (*path, "compute", "cpu"),
                f"{cpu} means {cpu} cores; for thousandths of a core write {cpu}m",
            )
