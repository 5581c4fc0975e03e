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
_SKIP_CONTAINERS = "eks.amazonaws.com/skip-containers"

_SWITCHED: tuple[tuple[str, ...], ...] = (
    ("gateway", "autoscaling"),
    ("gateway", "podDisruptionBudget"),
    ("podDisruptionBudget",),
    ("networkPolicy",),
    ("networkPolicy", "egress"),
    ("networking", "istio"),
    ("networking", "httpRoute"),
    ("networking", "ingress"),
    ("provision",),
    ("emulator",),
    ("webhooks",),
    ("monitoring", "podMonitor"),
    ("monitoring", "rules"),
    ("monitoring", "dashboard"),
)
"""Objects whose other fields do nothing while their `enabled` is false."""
_SUPERSEDED: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...] = (
    ("gitops", ("test",), ("contentType", "payload", "timeoutSeconds"), "there is no pod for helm test"),
    (
        "emulator",
        ("networkPolicy", "egress"),
        ("awsTo", "awsPorts", "podIdentity", "instanceMetadata"),
        "there is no AWS",
    ),
)
"""What is on, and the fields that then do nothing: an object, its fields, and why."""


def no_effect(values: MergedValues) -> Iterator[FieldMessage]:
    """A field that does nothing beside another one misleads whoever reads the file: take it out, or change the
    other."""
    yield from _of_scaling(values)
    if values["gateway"]["autoscaling"]["enabled"]:
        reason = "gateway.autoscaling.enabled is true, so that the autoscaler sets the number"
        yield from _warn(values, ("gateway", "replicas"), reason)
    yield from _beside_one_another(values)
    yield from _beside_switches(values)


def _beside_switches(values: MergedValues) -> Iterator[FieldMessage]:
    for switch, holder_path, names, reason in _SUPERSEDED:
        if values[switch]["enabled"]:
            for name in names:
                yield from _warn(values, (*holder_path, name), f"{switch}.enabled is true, so that {reason}")
    for path in _SWITCHED:
        holder = _at(values, path)
        used = path == ("provision",) and values["queue"]["deleteOnUninstall"]
        if not holder["enabled"] and not used:
            for name in sorted(holder.keys() - {"enabled"}):
                yield from _warn(values, (*path, name), f"{'.'.join(path)}.enabled is false")


def _of_scaling(values: MergedValues) -> Iterator[FieldMessage]:
    scaling = values["autoscaling"]
    if scaling["engine"] == "none":
        for name in _SCALED:
            yield from _warn(values, ("autoscaling", name), "autoscaling.engine is none, so that nothing scales")
    elif scaling["trigger"] == "sqs":
        yield from _warn(values, ("autoscaling", "window"), "autoscaling.trigger sqs knows no average")


def _beside_one_another(values: MergedValues) -> Iterator[FieldMessage]:
    """Warn of single fields that another one makes idle."""
    if values["image"].get("digest"):
        yield from _warn(values, ("image", "tag"), "image.digest names the image")
    if values["autoscaling"]["engine"] == "none" or values["autoscaling"]["trigger"] == "sqs":
        yield from _warn(values, ("networkPolicy", "kedaFrom"), "KEDA does not ask the gateway")
    if values["monitoring"]["tracing"].get("endpoint") is None:
        reason = "monitoring.tracing.endpoint is not set, so that there are no spans"
        yield from _warn(values, ("monitoring", "tracing", "sampleRatio"), reason)
    if values["gateway"]["apiKeys"].get("secretName") is None:
        reason = "gateway.apiKeys.secretName is not set, so that no key is needed"
        yield from _warn(values, ("gateway", "apiKeys", "requestsPerSecond"), reason)
    if not values["webhooks"]["enabled"]:
        reason = "webhooks.enabled is false"
        yield from _warn(values, ("networkPolicy", "egress", "webhookPorts"), reason)
    if values["emulator"]["enabled"]:
        reason = "emulator.enabled is true, and what the emulator holds is lost anyway"
        yield from _warn(values, ("queue", "deleteOnUninstall"), reason)
    for holder in ((), ("gateway",), ("provision",)):
        account = (*holder, "serviceAccount")
        if not _at(values, account)["create"]:
            reason = f"{'.'.join(account)}.create is false, so that the chart makes no service account"
            yield from _warn(values, (*account, "annotations"), reason)
    if _SKIP_CONTAINERS in (values["podAnnotations"] or {}):
        reason = f"podAnnotations names by {_SKIP_CONTAINERS} who gets no role"
        yield from _warn(values, ("serviceAccount", "shareWithContainers"), reason)


def _warn(values: MergedValues, path: FieldPath, reason: str) -> Iterator[FieldMessage]:
    """Warn of a field that differs from its default."""
    if _at(values, path) != _at(_defaults(), path):
        yield path, f"it has no effect: {reason}; take it out"


def _at(values: Mapping[str, Any], path: FieldPath) -> Any:
    """Return a field, or None for one that null took away."""
    found: Any = values
    for key in path:
        found = found.get(key)
    return found


@functools.cache
def _defaults() -> Mapping[str, Any]:
    found: Mapping[str, Any] = load_manifest((find_chart(None) / "values.yaml").read_text())[0]
    return found
