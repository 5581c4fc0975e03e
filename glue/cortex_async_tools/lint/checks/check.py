"""The type of a check, and functions that several checks use.

A check gets the values merged over the chart's defaults. The schema has accepted them, so their types are certain.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from cortex_async_tools.chart.values_file.document import FieldPath

MergedValues = Mapping[str, Any]
FieldMessage = tuple[FieldPath, str]
"""The path of a field, what is wrong with it, and what to do about it."""

Check = Callable[[MergedValues], Iterator[FieldMessage]]

_SHELLS = {"sh", "bash", "ash", "dash", "zsh"}


def containers(values: MergedValues) -> Iterator[tuple[FieldPath, Mapping[str, Any]]]:
    """Yield the user's containers with their paths."""
    for index, container in enumerate(values["pod"]["containers"]):
        yield ("pod", "containers", index), container


def command_words(container: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Yield each word of a container's command and args: the field, the index in it, the word."""
    for name in ("command", "args"):
        for index, word in enumerate(container.get(name) or ()):
            yield name, index, word


def has_shell(container: Mapping[str, Any]) -> bool:
    """Return whether a container's command is a shell, which interprets its arguments itself."""
    command = container.get("command") or [""]
    return PurePath(command[0]).name in _SHELLS


def command_lines(container: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Yield the commands that a container runs: its own, or each one in its shell script."""
    if not has_shell(container):
        if container.get("command"):
            yield "command", 0, " ".join(word for _, _, word in command_words(container))
        return
    for name, index, word in command_words(container):
        for line in re.split(r"[;&|\n(]+", word):
            yield name, index, re.sub(r"^\s*(exec\s+|\w+=\S*\s+)*", "", line).strip()


def port_of(action: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the kind and port of a probe or hook, or None when it runs a program."""
    for kind in ("http_get", "tcp_socket"):
        if action.get(kind):
            return kind, int(action[kind]["port"])
    return None


def readiness_ports(pod: Mapping[str, Any]) -> Sequence[int]:
    """Return the ports that the readiness probes use."""
    probes = [each.get("readiness_probe") for each in pod["containers"]]
    return [found[1] for probe in probes if probe and (found := port_of(probe))]
