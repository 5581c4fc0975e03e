"""Warnings about images."""

import re
from collections.abc import Iterator

from cortex_async_tools.lint.checks.check import FieldMessage, MergedValues, containers

_ROOT = {
    "alpine", "amazonlinux", "busybox", "debian", "eclipse-temurin", "fedora", "golang", "httpd", "nginx", "node",
    "openjdk", "php", "python", "redis", "ruby", "rust", "ubuntu",
}  # fmt: skip
"""Docker Official Images that set no user, so that they run as root."""


def moving_tag(values: MergedValues) -> Iterator[FieldMessage]:
    """An image without a tag, or with the tag `latest`, can change while the API runs, and a rollback does not
    bring the old one back: name a version or a digest."""
    for path, container in containers(values):
        _, tag, digest = _split(container["image"])
        if not digest and tag in {"", "latest"}:
            came = "has no tag, which means `latest`" if not tag else "has the tag `latest`"
            yield (
                (*path, "image"),
                f"the image {came}: pods may run different images, and a rollback does not bring the old one "
                "back; name a version or a digest",
            )


def root_image(values: MergedValues) -> Iterator[FieldMessage]:
    """An official image runs as root, which `securityContext.level: restricted` forbids, so that the pod never
    starts: set `securityContext.runAsUser`, or build an image with its own USER."""
    security = values["securityContext"]
    if security["level"] != "restricted" or security.get("runAsUser") is not None:
        return
    for path, container in containers(values):
        repository, _, _ = _split(container["image"])
        name = re.sub("^([^/]+/)?library/", "", repository)  # where registries keep the official images
        if name in _ROOT:
            yield (
                (*path, "image"),
                f"the official image {name} runs as root, which securityContext.level restricted forbids; "
                "set securityContext.runAsUser, or build your own image with a USER",
            )


def _split(image: str) -> tuple[str, str, str]:
    """Return repository, tag and digest of an image."""
    name, _, digest = image.partition("@")
    head, colon, tag = name.rpartition(":")
    return (head, tag, digest) if colon and "/" not in tag else (name, "", digest)
