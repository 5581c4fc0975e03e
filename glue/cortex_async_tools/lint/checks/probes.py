"""Warnings about probes."""

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
    """Without a readiness probe, requests are sent as soon as `pod.port` is open, even if the other containers
    are not ready: add a readiness probe to each container that a request needs."""
    pod = values["pod"]
    if len(pod["containers"]) > 1 and not any(each.get("readiness_probe") for each in pod["containers"]):
        yield (
            ("pod", "containers"),
            f"{len(pod['containers'])} containers and no readiness probe: requests are sent as soon as port "
            f"{pod['port']} is open, even if the other containers are not ready; add a readiness_probe to each "
            "container that a request needs",
        )


def probe_of_unused_port(values: MergedValues) -> Iterator[FieldMessage]:
    """A probe of a port that nothing listens on never passes, so that the pod gets no requests or is restarted
    again and again: probe `pod.port`. Only for a pod with one container, whose command, args and env do not
    contain the port."""
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
                f"nothing seems to listen on {port}: the only container listens on pod.port ({pod['port']}), and "
                f"its command, args and env do not contain {port}; probe {pod['port']}, or ignore this if the "
                "image listens on that port anyway",
            )


def server_without_probe(values: MergedValues) -> Iterator[FieldMessage]:
    """When any container has a readiness probe, the dispatcher does not wait for `pod.port` itself: add a
    readiness probe to the container that listens there, too."""
    pod = values["pod"]
    ports = readiness_ports(pod)
    bare = [each["name"] for each in pod["containers"] if not each.get("readiness_probe")]
    if ports and bare and pod["port"] not in ports:
        yield (
            ("pod", "containers"),
            f"no readiness probe uses pod.port ({pod['port']}), and {' and '.join(bare)} has none: requests may "
            "be sent before anything listens there; add a readiness_probe to the container that listens",
        )


def killed_before_ready(values: MergedValues) -> Iterator[FieldMessage]:
    """A liveness probe that fails before the readiness probe begins restarts the container while it is still
    starting: start the liveness probe later, or raise its failure threshold."""
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
                f"it restarts a container that does not answer within about {patience} s, before the readiness "
                f"probe begins ({wait} s); set liveness_probe.initial_delay_seconds to at least {wait}",
            )


def probe_of_request_path(values: MergedValues) -> Iterator[FieldMessage]:
    """Requests are POSTed to `/` on `pod.port`, and many servers answer GET there with 404 or 405, so that the
    probe never passes: give the probe its own path."""
    for path, container in containers(values):
        for field in ("readiness_probe", "liveness_probe"):
            get = (container.get(field) or {}).get("http_get") or {}
            if get and int(get["port"]) == values["pod"]["port"] and (get.get("path") or "/") == "/":
                yield (
                    (*path, field, "http_get"),
                    "it sends GET to /, where requests are POSTed; if the server answers 404 or 405 there, the "
                    "probe never passes: give the probe its own `path`, such as /healthz",
                )


def _names(container: Mapping[str, Any], port: int) -> bool:
    texts = [word for _, _, word in command_words(container)] + list((container.get("env") or {}).values())
    return any(re.search(rf"(?<!\d){port}(?!\d)", text) for text in texts)
