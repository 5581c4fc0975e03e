"""Containers of local mode by podman: each from its image, in the network of this machine.

What a plain process hides is seen: the files and the user of the image, no rights beyond those that the chart
gives, an environment without the shell's. Gateway and dispatcher stay processes, so the network is shared.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cortex_async.errors import CortexError
from cortex_async_tools.local.rendered_release import Container

PODMAN = "podman"


def check_podman() -> None:
    """Raise CortexError without podman."""
    if shutil.which(PODMAN) is None:
        raise CortexError(
            "--runtime podman needs podman, which is not on PATH: install it, or leave the option out"
        )


def run_line(
    container: Container, name: str, env: Mapping[str, str], mounts: Sequence[tuple[Path, str]]
) -> list[str]:
    """Return the command line that runs a container under that name until it ends.

    `env` is all that it sees of variables; `mounts` are folders of this machine with their place in the container,
    /mnt alone writable.
    """
    line = [PODMAN, "run", "--rm", "--replace", "--name", name, "--network", "host"]
    for folder, place in mounts:
        line += ["--volume", f"{folder}:{place}{'' if place == '/mnt' else ':ro'}"]
    for key, value in env.items():
        line += ["--env", f"{key}={value}"]
    line += _security(container)
    if any(each["mountPath"] == "/dev/shm" for each in container.spec.get("volumeMounts") or ()):  # noqa: S108
        line += ["--shm-size", "0"]  # without a limit
    if container.entrypoint:
        line += ["--entrypoint", json.dumps(list(container.entrypoint))]
    return [*line, str(container.spec["image"]), *container.arguments]


def _security(container: Container) -> list[str]:
    settings = container.spec.get("securityContext") or {}
    options: list[str] = []
    capabilities = settings.get("capabilities") or {}
    for what in ("drop", "add"):
        for each in capabilities.get(what) or ():
            options += [f"--cap-{what}", str(each)]
    if settings.get("allowPrivilegeEscalation") is False:
        options += ["--security-opt", "no-new-privileges"]
    if settings.get("readOnlyRootFilesystem"):
        options += ["--read-only", "--read-only-tmpfs=false"]
    if "runAsUser" in settings:
        group = f":{settings['runAsGroup']}" if "runAsGroup" in settings else ""
        options += ["--user", f"{settings['runAsUser']}{group}"]
    return options


def removal_line(name: str) -> list[str]:
    """Return the command line that ends what is left of a container of that name."""
    return [PODMAN, "rm", "--force", "--ignore", "--time", "0", name]
