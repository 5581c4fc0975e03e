"""What users of Kubernetes and of other charts write by habit gets the field that has its place."""

from collections.abc import Callable
from typing import Any

import pytest

from cortex_async_tools.lint.diagnostic import Diagnostic

CONTAINER: dict[str, Any] = {"name": "web", "image": "web:1"}


def values(container: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return valid values, with fields of the container and of the top level added."""
    aws = {"region": "us-west-2", "bucket": "results"}
    return {"name": "api", "pod": {"containers": [CONTAINER | (container or {})]}, "aws": aws, **fields}


@pytest.mark.parametrize(
    ("broken", "field", "instead"),
    [
        (values(replicas=2), "replicas", "autoscaling"),
        (values(ingress={"enabled": True}), "ingress", "networking.ingress"),
        (values(resources={}), "resources", "pod.containers"),
        (values({"resources": {}}), "pod.containers[0].resources", "compute"),
        (values({"volumeMounts": []}), "pod.containers[0].volumeMounts", "extraVolumeMounts"),
        (values({"env": [{"name": "A", "value": "b"}]}), "pod.containers[0].env", "env: {MODEL: small}"),
        (values(**{"x-common": {}}), "x-common", "anchor"),
    ],
)
def test_a_habit_gets_the_field_in_its_place(
    lint: Callable[..., list[Diagnostic]], broken: dict[str, Any], field: str, instead: str
) -> None:
    (error,) = [each for each in lint(broken) if each.severity == "error"]
    assert error.field == field
    assert instead in error.message
