"""Warnings about fields that have no effect beside others."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from cortex_async_tools.chart.helm_yaml import load_manifest
from cortex_async_tools.chart.values_file import find_chart
from cortex_async_tools.chart.values_file.document import FieldPath
from cortex_async_tools.lint.checks.check import FieldMessage, MergedValues

_SCALED = (
    "trigger max_replicas target_in_flight window downscale_stabilization_period upscale_stabilization_period "
    "max_downscale_factor max_upscale_factor downscale_tolerance upscale_tolerance"
).split()
_SWITCHED: tuple[tuple[str, ...], ...] = (
    ("gateway", "autoscaling"),
    ("gateway", "podDisruptionBudget"),
    ("podDisruptionBudget",),
    ("networkPolicy",),
    ("monitoring", "podMonitor"),
    ("monitoring", "rules"),
    ("monitoring", "dashboard"),
)
"""Objects whose other fields do nothing while their `enabled` is false."""


def no_effect(values: MergedValues) -> Iterator[FieldMessage]:
    """A field that does nothing beside another one misleads whoever reads the file: take it out, or change the
    other."""
    scaling = values["autoscaling"]
    if scaling["engine"] == "none":
        for name in _SCALED:
            yield from _warn(values, ("autoscaling", name), "autoscaling.engine is none, so that nothing scales")
    elif scaling["trigger"] == "sqs":
        yield from _warn(values, ("autoscaling", "window"), "autoscaling.trigger sqs knows no average")
    if values["gateway"]["autoscaling"]["enabled"]:
        reason = "gateway.autoscaling.enabled is true, so that the autoscaler sets the number"
        yield from _warn(values, ("gateway", "replicas"), reason)
    if values["gitops"]["enabled"]:
        for name in sorted(values["test"]):
            reason = "gitops.enabled is true, so that there is no pod for helm test"
            yield from _warn(values, ("test", name), reason)
    for path in _SWITCHED:
        holder = _at(values, path)
        if not holder["enabled"]:
            for name in sorted(holder.keys() - {"enabled"}):
                yield from _warn(values, (*path, name), f"{'.'.join(path)}.enabled is false")


def _warn(values: MergedValues, path: FieldPath, reason: str) -> Iterator[FieldMessage]:
    """Warn of a field that differs from its default."""
    if _at(values, path) != _at(_defaults(), path):
        yield path, f"it has no effect: {reason}; take it out"


def _at(values: Mapping[str, Any], path: FieldPath) -> Any:
    found: Any = values
    for key in path:
        found = found[key]
    return found


@functools.cache
def _defaults() -> Mapping[str, Any]:
    found: Mapping[str, Any] = load_manifest((find_chart(None) / "values.yaml").read_text())[0]
    return found
