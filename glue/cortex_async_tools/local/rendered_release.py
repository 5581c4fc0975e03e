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
    """A user's container: what it runs, its environment, and what the chart renders for it.

    `entrypoint` is empty for that of the image, `arguments` for the image's CMD. `origin` is the Dockerfile that
    the command line was taken from, if it was.
    """

    name: str
    entrypoint: Sequence[str]
    arguments: Sequence[str]
    env: Mapping[str, str]
    spec: Mapping[str, Any]
    origin: Path | None = None

    @property
    def argv(self) -> list[str]:
        """Its command line as a process."""
        return [*self.entrypoint, *self.arguments]


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
    *,
    has_images: bool = False,
) -> Release:
    """Render the chart with a values file and the `files` laid over it.

    `overlay` overrides them, and the `--set` settings override all.

    `commands` has the command line of containers that have none themselves, by name; under "" that of any other.
    Without one, and with `has_images`, it is the image's own.
    """
    arguments = rendering.as_arguments([file, *files, Path("-")])
    for setting in settings:
        arguments += ["--set", setting]
    return read_release(
        rendering.render(file, chart, release_name(file), arguments, json.dumps(overlay)),
        commands or {},
        file.resolve().parent,
        has_images=has_images,
    )


def read_release(
    objects: Sequence[Object], commands: Mapping[str, Sequence[str]], folder: Path, *, has_images: bool = False
) -> Release:
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
        containers=[
            _container(each, commands, None if has_images else folder, alone=len(containers) == 1)
            for each in containers
        ],
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
    container: Mapping[str, Any], commands: Mapping[str, Sequence[str]], folder: Path | None, *, alone: bool
) -> Container:
    """Read a container; `folder` is None where the image itself is run, and needs no command line."""
    name = str(container["name"])
    env = environment(container)
    args = [expand(str(word), env) for word in container.get("args") or ()]
    command = container.get("command") or commands.get(name) or commands.get("") or ()
    words = [expand(str(word), env) for word in command]
    if words or folder is None:
        return Container(name, words, args, env, container)
    origin = find_dockerfile(folder, name, alone=alone)
    if origin is not None:
        words = [expand(word, env) for word in image_command(origin.read_text(encoding="utf-8"), args)]
    if not words:
        raise RenderError(
            f"container {name} has no `command`: local mode pulls no image, so it cannot know the image's own; "
            f"name it by --command '{name}=python server.py', give the container a command, put the Dockerfile of "
            f"the image, with its CMD, beside the values file (Dockerfile.{name} if there are more containers), "
            "or run the image itself by --runtime podman"
        )
    return Container(name, words, (), env, container, origin)


def _deployment_with(objects: Sequence[Object], container: str) -> Object:
    for each in objects:
        if each["kind"] == "Deployment":
            pod: Mapping[str, Any] = each["spec"]["template"]["spec"]
            if any(one["name"] == container for one in pod["containers"]):
                return each
    raise RenderError(f"the chart renders no Deployment with a container called {container}")
