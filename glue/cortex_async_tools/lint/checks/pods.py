"""What a reviewer says about resources, ports and disruption budgets."""

from collections.abc import Iterator

from cortex_async_tools.lint.checks.check import FieldMessage, MergedValues, containers


def no_memory_request(values: MergedValues) -> Iterator[FieldMessage]:
    """A container without a memory request is put on any node and is the first to be killed when memory runs out:
    set `compute.mem`, or set it to null to say that none is meant."""
    for path, container in containers(values):
        if "mem" not in (container.get("compute") or {}):
            where = (*path, "compute") if container.get("compute") else path
            yield (
                where,
                f"container {container['name']} requests no memory, so it is the first to be killed when its node "
                "runs out; set compute.mem (null when none is meant)",
            )


def low_port(values: MergedValues) -> Iterator[FieldMessage]:
    """Whether a process that is not root may listen below 1024 depends on the node: use a port above 1023."""
    port = values["pod"]["port"]
    if port < 1024 and values["securityContext"]["level"] == "restricted":
        yield (
            ("pod", "port"),
            f"whether a process that is not root may listen on {port} depends on the node; use a port above 1023",
        )


def zero_disruption_budget(values: MergedValues) -> Iterator[FieldMessage]:
    """A disruption budget of zero never lets a pod go, so no node with one can be drained: allow at least 1."""
    for parent, holder in (((), values), (("gateway",), values["gateway"])):
        budget = holder["podDisruptionBudget"]
        if budget["enabled"] and str(budget["maxUnavailable"]) in {"0", "0%"}:
            yield (
                (*parent, "podDisruptionBudget", "maxUnavailable"),
                "it never lets a pod go, so that no node with one can be drained; allow at least 1",
            )


def pre_stop_without_drain(values: MergedValues) -> Iterator[FieldMessage]:
    """A pre_stop takes the place of the chart's own, which waits until no request is in hand; when it ends, the
    container is told to stop. End it by a call of port 15000, /drain, or leave it out."""
    for path, container in containers(values):
        if "pre_stop" in container and "/drain" not in str(container["pre_stop"]):
            yield (
                (*path, "pre_stop"),
                f"when it ends, container {container['name']} is told to stop, with requests in hand; end it by a "
                "call of http://localhost:15000/drain, which answers when there are none, or leave it out",
            )


def whole_cores(values: MergedValues) -> Iterator[FieldMessage]:
    """A cpu of 100 and more is whole cores, which hardly any node has: thousandths are written with an m."""
    for path, container in containers(values):
        cpu = (container.get("compute") or {}).get("cpu")
        if cpu is not None and str(cpu).isdigit() and int(cpu) >= 100:
            yield (
                (*path, "compute", "cpu"),
                f"{cpu} is that many whole cores; for thousandths of a core write {cpu}m",
            )
