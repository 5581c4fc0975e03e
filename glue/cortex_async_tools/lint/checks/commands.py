"""Warnings about the commands and environment variables of containers."""

import re
from collections.abc import Iterator
from typing import Any

from cortex_async_tools.chart.values_file.secrets import secrets
from cortex_async_tools.lint.checks.check import (
    FieldMessage,
    MergedValues,
    command_lines,
    command_words,
    containers,
    has_shell,
)

_PRIVILEGED = {"sudo", "mount", "modprobe", "iptables", "sysctl"}
_INSTALL = re.compile(
    r"(python3? -m )?pip3? install\b|apt(-get)? (-\S+ )*install\b|apk (-\S+ )*add\b|npm (install|ci)\b|"
    r"conda install\b|(yum|dnf) (-\S+ )*install\b"
)
_BATCH_SIZE = re.compile(r"(^|_)max_?batch_?size$")
_BATCH_SWITCH = re.compile(r"(^|_)(enable|dynamic)_?batching$")


def needs_privileges(values: MergedValues) -> Iterator[FieldMessage]:
    """Containers run without privileges, so that sudo, mount, modprobe, iptables and sysctl fail: do their work in
    the image or on the node."""
    for path, container in containers(values):
        for field, index, line in command_lines(container):
            first = line.split()[:1]
            if first and first[0].rpartition("/")[2] in _PRIVILEGED:
                yield (
                    (*path, field, index),
                    f"{first[0]} needs privileges that containers do not have; do it in the image or on the node",
                )


def installs_at_start(values: MergedValues) -> Iterator[FieldMessage]:
    """Installing software at each start is slow, fails when its source is down, and may install another version
    each time: build it into the image."""
    for path, container in containers(values):
        for field, index, line in command_lines(container):
            match = _INSTALL.match(line)
            if match:
                yield (
                    (*path, field, index),
                    f"`{match[0]}` at every start is slow, and fails when its source is down; "
                    "build it into the image",
                )


def command_in_one_word(values: MergedValues) -> Iterator[FieldMessage]:
    """A command is a list of words, and no shell splits it. A first word with spaces is taken as the name of a
    program: write each word as its own list entry."""
    for path, container in containers(values):
        command = container.get("command") or [""]
        if re.search(r"\s", command[0].strip()):
            split = ", ".join(command[0].split())
            yield (
                (*path, "command", 0),
                f"no shell splits it, so {command[0]!r} is taken as the program's name; write [{split}]",
            )


def shell_variable(values: MergedValues) -> Iterator[FieldMessage]:
    """Without a shell nothing replaces `$NAME` in a command or its args: write `$(NAME)`, which Kubernetes
    replaces."""
    common = {"CORTEX_PORT", "CORTEX_VERSION", *(each["name"] for each in values.get("extraEnv") or ())}
    for path, container in containers(values):
        if not container.get("command") or has_shell(container):
            continue  # an image's own entrypoint may be a shell
        known = common | set(container.get("env") or ())
        for field, index, word in command_words(container):
            for match in re.finditer(r"\$\{?(\w+)\}?", word):
                if match[1] in known:
                    yield (
                        (*path, field, index),
                        f"{match[0]} is not replaced, because no shell reads it; write $({match[1]})",
                    )


def plain_secret(values: MergedValues) -> Iterator[FieldMessage]:
    """Everyone who can read the repository can read a password in a values file: keep it in a Secret, and refer to
    it by `extraEnv` with `valueFrom.secretKeyRef`."""
    for path, _ in secrets(values):
        yield (
            path,
            "this looks like a secret in plain text; keep it in a Secret, and refer to it by extraEnv with "
            "valueFrom.secretKeyRef",
        )


def batching_without_concurrency(values: MergedValues) -> Iterator[FieldMessage]:
    """A server that processes requests in batches gets only one at a time while `pod.max_concurrency` is 1: set it
    to the batch size. Recognised by a variable or option named like max_batch_size or enable_batching."""
    if values["pod"]["max_concurrency"] > 1:
        return
    for path, container in containers(values):
        for setting, name, value in _settings(container):
            folded = name.lower().replace("-", "_").lstrip("_")
            size = int(value) if value.isdigit() else 0
            switched = value.lower() not in {"false", "0", "off", "no"}
            if (_BATCH_SIZE.search(folded) and size > 1) or (_BATCH_SWITCH.search(folded) and switched):
                yield (
                    (*path, *setting),
                    f"{name} puts requests into batches, but pod.max_concurrency is 1, so that each batch has one "
                    "request; set pod.max_concurrency to the batch size",
                )


def _settings(container: Any) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    for name, value in (container.get("env") or {}).items():
        yield ("env", name), name, value
    given = list(command_words(container))
    for number, (field, index, word) in enumerate(given):
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            follows = given[number + 1][2] if number + 1 < len(given) else ""
            yield (field, index), name, value if equals else ("" if follows.startswith("-") else follows)
