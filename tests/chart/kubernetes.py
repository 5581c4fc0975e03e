"""Whether a cluster would take the objects: published schemas and models, and what those let through."""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema
import kubernetes_validate
from kubernetes_validate import utils
from pydantic import BaseModel

from chart.helm_cli import Object
from chart.objects import pods
from cortex_async_tools.lint import custom_resources

# It reads megabytes of schemas from disk for every object.
utils.schema_contents = functools.cache(utils.schema_contents)
utils.all_versions = functools.cache(utils.all_versions)

VERSIONS = ("1.29", "1.33", "1.37")
"""Oldest, middle and newest that the chart supports."""


def validate(objects: Sequence[Object], versions: Sequence[str] = VERSIONS) -> None:
    """Raise when an object is not what the API server of one of the versions takes."""
    for path, value in _leaves(objects):
        assert value is not None, f"{path} is null"
    for each in objects:
        kind = (each["apiVersion"], each["kind"])
        if kind in custom_resources.SCHEMAS:
            jsonschema.validate(each, custom_resources.SCHEMAS[kind])
        if kind == ("networking.istio.io/v1", "VirtualService"):
            from cloudcoil.models.istio.networking.v1 import VirtualService  # noqa: PLC0415 (takes 0.6 s)

            fields_are_known(each, VirtualService.model_validate(each, strict=True))
        elif kind not in custom_resources.SCHEMAS:
            for version in versions:
                kubernetes_validate.validate(each, version, strict=True)
    for pod, owner in ((template, owner) for owner, template in pods(objects)):
        _check_pod(pod, owner)
    _check_identities(objects)


def fields_are_known(given: Any, model: Any, path: str = "") -> None:
    """The models ignore what they do not know: walk them beside what was given."""
    if isinstance(model, BaseModel):
        known = {field.alias or name for name, field in type(model).model_fields.items()}
        assert set(given) <= known, f"{path}: unknown fields {set(given) - known}"
        for name, field in type(model).model_fields.items():
            key = field.alias or name
            if key in given:
                fields_are_known(given[key], getattr(model, name), f"{path}.{key}")
    elif isinstance(model, list):
        for number, (one, its_model) in enumerate(zip(given, model, strict=True)):
            fields_are_known(one, its_model, f"{path}[{number}]")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


_LABEL_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_QUANTITY = re.compile(r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)([mkMGTPE]|[KMGTPE]i)?$")
_DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_ENV_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
_SUFFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SUFFIXES |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}


def quantity(text: str) -> float:
    """The number that a Kubernetes quantity stands for."""
    match = _QUANTITY.match(text)
    assert match, f"{text!r} is no quantity"
    return float(match[1]) * _SUFFIXES[match[3] or ""]


def _check_identities(objects: Sequence[Object]) -> None:
    seen = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects]
    assert len(seen) == len(set(seen)), f"an object is there twice: {seen}"
    labels = [template["metadata"]["labels"] for owner, template in pods(objects) if owner["kind"] != "Pod"]
    for each in objects:
        assert re.match(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", each["metadata"]["name"])
        if each["kind"] == "Service":
            assert _DNS_LABEL.match(each["metadata"]["name"])
        for key, value in each["metadata"]["labels"].items():
            assert _LABEL_KEY.match(key), key
            assert _LABEL_VALUE.match(value), value
        assert all(isinstance(value, str) for value in each["metadata"].get("annotations", {}).values())
        for selector in _selectors(each):
            chosen = {_component(its) for its in labels if selector.items() <= its.items()}
            assert len(chosen) == 1, f"{each['metadata']['name']} selects the pods of {chosen}"


def _component(labels: dict[str, str]) -> str:
    """Return what kind of pod it is; the operator's chart names only its shared gateway's."""
    return labels.get("app.kubernetes.io/component", labels["app.kubernetes.io/name"])


def _selectors(each: Object) -> Iterator[dict[str, str]]:
    spec = each.get("spec", {})
    if each["kind"] in {"Deployment", "PodDisruptionBudget"}:
        yield spec["selector"]["matchLabels"]
    elif each["kind"] == "Service" and spec.get("type") != "ExternalName":
        yield spec["selector"]
    elif each["kind"] == "NetworkPolicy":
        yield spec["podSelector"]["matchLabels"]


def _check_pod(pod: Object, owner: Object) -> None:
    spec = pod["spec"]
    volumes = [each["name"] for each in spec.get("volumes", [])]
    assert len(volumes) == len(set(volumes))
    assert all(_DNS_LABEL.match(name) for name in volumes)
    names = [each["name"] for each in spec["containers"]]
    assert len(names) == len(set(names))
    for each in spec["containers"]:
        _check_container(each, volumes)
    pairs = [
        (each["topologyKey"], each["whenUnsatisfiable"]) for each in spec.get("topologySpreadConstraints", [])
    ]
    assert len(pairs) == len(set(pairs))
    for toleration in spec.get("tolerations", []):
        exists = toleration.get("operator") == "Exists"
        assert not toleration.get("value") if exists else toleration["key"]
        assert "tolerationSeconds" not in toleration or toleration["effect"] == "NoExecute"
    if owner["kind"] == "Deployment":
        rolling = owner["spec"]["strategy"].get("rollingUpdate", {"maxSurge": 1})
        assert {str(value) for value in rolling.values()} - {"0", "0%"}, "no replica could be replaced"


def _check_container(each: dict[str, Any], volumes: Sequence[str]) -> None:
    assert _DNS_LABEL.match(each["name"])
    assert each["image"] == each["image"].strip() != ""
    variables = [variable["name"] for variable in each.get("env", [])]
    assert len(variables) == len(set(variables)), f"a variable is there twice: {variables}"
    assert all(_ENV_NAME.match(name) for name in variables)
    assert all(isinstance(variable.get("value", ""), str) for variable in each.get("env", []))
    mounts = each.get("volumeMounts", [])
    assert {mount["name"] for mount in mounts} <= set(volumes)
    paths = [mount["mountPath"] for mount in mounts]
    assert len(paths) == len(set(paths))
    _check_resources(each.get("resources", {}))
    assert each.get("livenessProbe", {}).get("successThreshold", 1) == 1
    for probe in ("livenessProbe", "readinessProbe"):
        for action in each.get(probe, {}).values():
            if isinstance(action, dict) and "port" in action and isinstance(action["port"], int):
                assert 1 <= action["port"] <= 65535
    security = each["securityContext"]
    assert not security.get("privileged")
    added = security.get("capabilities", {}).get("add", [])
    assert not (security.get("allowPrivilegeEscalation") is False and "SYS_ADMIN" in added)


def _check_resources(resources: dict[str, Any]) -> None:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name, amount in [*requests.items(), *limits.items()]:
        assert isinstance(amount, str)
        assert quantity(amount) >= 0
        whole = not name.startswith(("cpu", "memory", "ephemeral"))
        assert not whole or quantity(amount) == int(quantity(amount))
    for name, limit in limits.items():
        assert quantity(requests.get(name, "0")) <= quantity(limit), f"{name} is requested above its limit"
    devices = {name for name in limits if "/" in name or name.startswith("hugepages")}
    assert all(requests[name] == limits[name] for name in devices)
    if any(name.startswith("hugepages") for name in limits):
        assert {"cpu", "memory"} & requests.keys(), "huge pages need cpu or memory"
