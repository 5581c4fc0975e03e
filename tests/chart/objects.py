"""Finding one's way in rendered objects."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from chart.helm_cli import Object


def find(objects: Sequence[Object], kind: str, name: str | None = None) -> Object:
    """The one object of that kind, and name."""
    found = [each for each in objects if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} with name {name}"
    return found[0]


def kinds(objects: Sequence[Object]) -> set[str]:
    return {each["kind"] for each in objects}


def pods(objects: Sequence[Object]) -> Iterator[tuple[Object, Object]]:
    """Each pod, or template of one, with the object that it is in."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each, each
        elif each["kind"] in {"Deployment", "Job"}:
            yield each, each["spec"]["template"]


def pod_of(objects: Sequence[Object], kind: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, kind, name)["spec"]["template"]["spec"]
    return spec


def api_pod(objects: Sequence[Object], name: str = "hello") -> dict[str, Any]:
    return pod_of(objects, "Deployment", f"api-{name}")


def gateway_pod(objects: Sequence[Object], name: str = "hello") -> dict[str, Any]:
    return pod_of(objects, "Deployment", f"api-{name}-gateway")


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in pod["containers"] if each["name"] == name]
    return dict(found)


def user_container(objects: Sequence[Object], name: str = "api", api: str = "hello") -> dict[str, Any]:
    return container(api_pod(objects, api), name)


def api_json(objects: Sequence[Object], name: str = "hello") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(find(objects, "ConfigMap", f"api-{name}")["data"]["api.json"])
    return document


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
