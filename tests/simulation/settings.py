"""The fields of `autoscaling`, as numbers, and the rules of the HPA that the chart renders for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chart.helm_cli import Helm, minimal
from chart.objects import find

SYNC_SECONDS = 15  # of the HPA
TICK_SECONDS = 10  # of the original, and of the samples
QUANTITIES = {"": 1, "m": 1000, "u": 1_000_000}  # parts of one


@dataclass(frozen=True)
class Settings:
    """The documented fields; periods in seconds."""

    min_replicas: int = 1
    max_replicas: int = 100
    target_in_flight: float = 1
    window: int = 60
    downscale_stabilization_period: int = 300
    upscale_stabilization_period: int = 60
    max_downscale_factor: float = 0.75
    max_upscale_factor: float = 1.5
    downscale_tolerance: float = 0.05
    upscale_tolerance: float = 0.05

    def values(self) -> dict[str, Any]:
        """The values that a user writes for them."""
        periods = {"window", "downscale_stabilization_period", "upscale_stabilization_period"}
        return {name: f"{value}s" if name in periods else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Rules:
    """How the HPA moves in one direction."""

    stabilization_seconds: int
    policies: Sequence[tuple[str, int, int]]  # type, value, period in seconds
    tolerance: float


@dataclass(frozen=True)
class Rendered:
    """What of the ScaledObject KEDA and the HPA go by."""

    least: int
    most: int
    target: float
    cooldown_seconds: int
    polling_seconds: int
    up: Rules
    down: Rules


def render(helm: Helm, settings: Settings) -> Rendered:
    """Render the chart by the real helm, and read the ScaledObject."""
    objects = helm.template(minimal(autoscaling={"engine": "keda", **settings.values()}))
    spec = find(objects, "ScaledObject")["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    return Rendered(
        spec["minReplicaCount"],
        spec["maxReplicaCount"],
        float(spec["triggers"][0]["metadata"]["targetValue"]),
        spec.get("cooldownPeriod", 300),  # KEDA's own, where the API may not go to zero
        spec.get("pollingInterval", 30),
        _rules(behavior["scaleUp"]),
        _rules(behavior["scaleDown"]),
    )


def _rules(rules: Mapping[str, Any]) -> Rules:
    policies = [(each["type"], each["value"], each["periodSeconds"]) for each in rules["policies"]]
    tolerance = float(rules["tolerance"].rstrip("mu")) / QUANTITIES[rules["tolerance"].lstrip("0123456789")]
    return Rules(rules["stabilizationWindowSeconds"], policies, tolerance)
