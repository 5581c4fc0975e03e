"""Render the chart, and read from it what local mode runs: the configuration and the containers."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortex_async_tools.chart import rendering
from cortex_async_tools.chart.rendering import Object, RenderError, find_data, release_name
from cortex_async_tools.local.dockerfile import find_dockerfile, image_command

_GLUE_CONTAINERS = {"dispatcher", "gateway", "proxy", "dequeuer"}
"""Names that a user's container cannot have."""


@dataclass(frozen=True)
class Container:
    """A user's container as a process: its command line and its environment.

    `origin` is the Dockerfile that the command line was taken from, if it was.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    origin: Path | None = None


@dataclass(frozen=True)
class Release:
    """What local mode uses of a rendered chart; `glue_env` is the environment of gateway and dispatcher.

    `deployment` is the object that has the containers.
    """

    api: dict[str, Any]
    cli_yaml: str
    glue_env: Mapping[str, str]
    containers: Sequence[Container]
    deployment: Mapping[str, Any]


def render_release(
    file: Path,
    chart: Path,
    overlay: Mapping[str, Any],
    settings: Sequence[str],
    commands: Mapping[str, Sequence[str]] | None = None,
    files: Sequence[Path] = (),
) -> Release:
    """Render the chart with a values file and the `files` laid over it.

    `overlay` overrides them, and the `--set` settings override all.

    `commands` has the command line of containers that have none themselves, by name; under "" that of any other.
    """
    arguments = rendering.as_arguments([file, *files, Path("-")])
    for setting in settings:
        arguments += ["--set", setting]
    return read_release(
        rendering.render(file, chart, release_name(file), arguments, json.dumps(overlay)),
        commands or {},
        file.resolve().parent,
    )


def read_release(objects: Sequence[Object], commands: Mapping[str, Sequence[str]], folder: Path) -> Release:
    """Read what local mode uses from rendered objects; `folder` is where Dockerfiles are looked for."""
    api = json.loads(find_data(objects, "ConfigMap", "api.json"))
    deployment = _deployment_with(objects, "dispatcher")
    pod = deployment["spec"]["template"]["spec"]
    containers = [each for each in pod["containers"] if each["name"] not in _GLUE_CONTAINERS]
    if unknown := commands.keys() - {""} - {each["name"] for each in containers}:
        raise RenderError(f"--command: no container is called {min(unknown)}")
    dispatcher = next(each for each in pod["containers"] if each["name"] == "dispatcher")
    return Release(
        api=api,
        cli_yaml=find_data(objects, "Secret", "cli.yaml"),
        glue_env={name: value for name, value in environment(dispatcher).items() if name.startswith("CORTEX_")},
        containers=[_container(each, commands, folder, alone=len(containers) == 1) for each in containers],
        deployment=deployment,
    )


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """Return a container's environment, without `valueFrom`; a variable may refer to those before it."""
    env: dict[str, str] = {}
    for variable in container.get("env") or ():
        if "valueFrom" not in variable:
            env[variable["name"]] = expand(str(variable.get("value") or ""), env)
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace `$(NAME)` as Kubernetes does: `$$` becomes `$`, and an unknown name does not change."""

    def replace(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else env.get(match[2], match[0])

    return re.sub(r"\$(\$|\(([^)]*)\))", replace, text)


def _container(
    container: Mapping[str, Any], commands: Mapping[str, Sequence[str]], folder: Path, *, alone: bool
) -> Container:
    name = str(container["name"])
    args = [str(word) for word in container.get("args") or ()]
    command = container.get("command") or commands.get(name) or commands.get("")
    words = [*command, *args] if command else []
    origin = None if words else find_dockerfile(folder, name, alone=alone)
    if origin is not None:
        words = image_command(origin.read_text(encoding="utf-8"), args)
    if not words:
        raise RenderError(
            f"container {name} has no `command`: local mode pulls no image, so it cannot know the image's own; "
            f"name it by --command '{name}=python server.py', give the container a command, or put the Dockerfile "
            f"of the image, with its CMD, beside the values file (Dockerfile.{name} if there are more containers)"
        )
    env = environment(container)
    return Container(name, [expand(str(word), env) for word in words], env, origin)


def _deployment_with(objects: Sequence[Object], container: str) -> Object:
    for each in objects:
        if each["kind"] == "Deployment":
            pod: Mapping[str, Any] = each["spec"]["template"]["spec"]
            if any(one["name"] == container for one in pod["containers"]):
                return each
    raise RenderError(f"the chart renders no Deployment with a container called {container}")
