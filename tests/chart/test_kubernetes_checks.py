"""The tests' own validation finds what it is there for: each of these is a valid release, broken in one place."""

import copy
from collections.abc import Callable
from typing import Any

import jsonschema
import kubernetes_validate
import pydantic
import pytest

from chart.helm_cli import ROOT, Helm, Object
from chart.kubernetes import validate
from chart.objects import api_pod, find


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return Helm.of_version("4.3.1").template(ROOT / "values" / "all-options.yaml")


def _pod(objects: list[Object]) -> dict[str, Any]:
    return api_pod(objects, "all-options")


def _user(objects: list[Object]) -> dict[str, Any]:
    each: dict[str, Any] = _pod(objects)["containers"][0]
    return each


Break = Callable[[list[Object]], Any]

BREAKS: dict[str, Break] = {
    "an unknown field": lambda all: _pod(all).update(containerz=[]),
    "a wrong type": lambda all: _pod(all).update(terminationGracePeriodSeconds="60"),
    "an unknown field of Istio": lambda all: find(all, "VirtualService")["spec"]["http"][0].update(rewrites=1),
    "a wrong type of Istio": lambda all: find(all, "VirtualService")["spec"].update(hosts="*"),
    "an unknown field of HTTPRoute": lambda all: find(all, "HTTPRoute")["spec"].update(hosts=["a"]),
    "a path that HTTPRoute refuses": lambda all: find(all, "HTTPRoute")["spec"]["rules"][0]["matches"][0][
        "path"
    ].update(value="a//b"),
    "a null": lambda all: _user(all).update(args=None),
    "a quantity": lambda all: _user(all)["resources"]["requests"].update(cpu="1 core"),
    "a request above its limit": lambda all: _pod(all)["containers"][1]["resources"]["limits"].update(
        memory="1Mi"
    ),
    "a device requested and not limited": lambda all: _user(all)["resources"]["requests"].update(
        {"aws.amazon.com/neuron": "1"}
    ),
    "huge pages alone": lambda all: [_user(all)["resources"]["requests"].pop(name) for name in ("cpu", "memory")],
    "a variable twice": lambda all: _user(all)["env"].append({"name": "CORTEX_PORT", "value": "1"}),
    "a container's name": lambda all: _user(all).update(name="a" * 64),
    "a volume that is not there": lambda all: _user(all)["volumeMounts"].append({"name": "x", "mountPath": "/x"}),
    "two mounts at one path": lambda all: _user(all)["volumeMounts"].append({"name": "mnt", "mountPath": "/mnt"}),
    "a selector of nothing": lambda all: find(all, "Service", "api-all-options-gateway")["spec"][
        "selector"
    ].update(apiName="x"),
    "a selector of too much": lambda all: find(all, "Service", "api-all-options-gateway")["spec"]["selector"].pop(
        "app.kubernetes.io/component"
    ),
    "a label's value": lambda all: find(all, "Service", "api-all-options-gateway")["metadata"]["labels"].update(
        team="a b"
    ),
    "an object twice": lambda all: all.append(find(all, "Service", "api-all-options-gateway")),
    "a privileged container": lambda all: _user(all)["securityContext"].update(privileged=True),
    "a liveness probe's threshold": lambda all: _user(all).update(
        livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}
    ),
    "no replica replaceable": lambda all: find(all, "Deployment", "api-all-options")["spec"]["strategy"].update(
        rollingUpdate={"maxSurge": 0, "maxUnavailable": "0%"}
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_release_is_found_out(objects: list[Object], name: str) -> None:
    broken = copy.deepcopy(objects)
    validate(broken)
    BREAKS[name](broken)
    errors = (
        AssertionError,
        jsonschema.ValidationError,
        kubernetes_validate.ValidationError,
        pydantic.ValidationError,
    )
    with pytest.raises(errors):
        validate(broken)
