"""What a reviewer says about probes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cortex_async_tools.lint.checks.check import (
    FieldMessage,
    MergedValues,
    command_words,
    containers,
    port_of,
    readiness_ports,
)

_DISPATCHER_PORT = 15000
_PROBES = ("readiness_probe", "liveness_probe", "pre_stop")


def no_readiness_probe(values: MergedValues) -> Iterator[FieldMessage]:
    """Without any readiness probe requests are sent as soon as `pod.port` is bound, whether or not the other
    containers are up: give each container that a request needs a readiness probe."""
    pod = values["pod"]
    if len(pod["containers"]) > 1 and not any(each.get("readiness_probe") for each in pod["containers"]):
        yield (
            ("pod", "containers"),
            f"{len(pod['containers'])} containers and no readiness probe: requests are sent as soon as port "
            f"{pod['port']} is bound, whether or not the others are up; give those that a request needs a "
            "readiness_probe",
        )


def probe_of_unused_port(values: MergedValues) -> Iterator[FieldMessage]:
    """A probe of a port that nothing listens on never passes, so the pod never gets a request or is restarted for
    ever: probe `pod.port`. Said only of a pod with one container whose command, args and env do not name the
    port."""
    pod = values["pod"]
    if len(pod["containers"]) > 1:
        return
    for path, container in containers(values):
        for field in _PROBES:
            target = port_of(container.get(field) or {})
            if target is None or target[1] in {pod["port"], _DISPATCHER_PORT} or _names(container, target[1]):
                continue
            kind, port = target
            yield (
                (*path, field, kind, "port"),
                f"nothing is known to listen on {port}: the pod's one container listens on pod.port "
                f"({pod['port']}), and its command, args and env do not name {port}; look at {pod['port']}, or "
                "ignore this if the image listens there by itself",
            )


def server_without_probe(values: MergedValues) -> Iterator[FieldMessage]:
    """Once a container has a readiness probe, the dispatcher no longer waits for `pod.port` by itself: give the
    container that listens there a readiness probe too."""
    pod = values["pod"]
    ports = readiness_ports(pod)
    bare = [each["name"] for each in pod["containers"] if not each.get("readiness_probe")]
    if ports and bare and pod["port"] not in ports:
        yield (
            ("pod", "containers"),
            f"no readiness probe looks at pod.port ({pod['port']}), and {' and '.join(bare)} has none: requests "
            "may be sent before anything listens there; give the container that listens a readiness_probe",
        )


def killed_before_ready(values: MergedValues) -> Iterator[FieldMessage]:
    """A liveness probe that gives up before the readiness probe begins restarts the container while it still
    starts: begin the liveness probe later, or let it fail more often."""
    for path, container in containers(values):
        readiness, liveness = container.get("readiness_probe"), container.get("liveness_probe")
        if not (readiness and liveness):
            continue
        fails = liveness.get("failure_threshold", 3) - 1
        patience = liveness.get("initial_delay_seconds", 0) + fails * liveness.get("period_seconds", 10)
        wait = readiness.get("initial_delay_seconds", 0)
        if patience < wait:
            yield (
                (*path, "liveness_probe"),
                f"it restarts a container that does not answer after about {patience} s, before the readiness "
                f"probe begins ({wait} s); set liveness_probe.initial_delay_seconds to at least {wait}",
            )


def probe_of_request_path(values: MergedValues) -> Iterator[FieldMessage]:
    """`/` on `pod.port` is where requests are POSTed, and many servers answer GET there with 404 or 405, so that
    the probe never passes: give the probe a path of its own."""
    for path, container in containers(values):
        for field in ("readiness_probe", "liveness_probe"):
            get = (container.get(field) or {}).get("http_get") or {}
            if get and int(get["port"]) == values["pod"]["port"] and (get.get("path") or "/") == "/":
                yield (
                    (*path, field, "http_get"),
                    "it asks for GET /, where requests are POSTed; a server that answers 404 or 405 there never "
                    "passes: give the probe a `path` of its own, such as /healthz",
                )


def _names(container: Mapping[str, Any], port: int) -> bool:
    texts = [word for _, _, word in command_words(container)] + list((container.get("env") or {}).values())
    return any(re.search(rf"(?<!\d){port}(?!\d)", text) for text in texts)
