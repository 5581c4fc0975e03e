"""What a reviewer says about what containers start, and the variables they get."""

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
    """Containers run without privileges, so sudo, mount, modprobe, iptables and sysctl fail in them: do in the
    image, or on the node, what they were to do."""
    for path, container in containers(values):
        for field, index, line in command_lines(container):
            first = line.split()[:1]
            if first and first[0].rpartition("/")[2] in _PRIVILEGED:
                yield (
                    (*path, field, index),
                    f"{first[0]} needs privileges that no container here has; do it in the image or on the node",
                )


def installs_at_start(values: MergedValues) -> Iterator[FieldMessage]:
    """Installing software at each start makes starting slow and lets it fail, or change, with what is
    published that day: build it into the image."""
    for path, container in containers(values):
        for field, index, line in command_lines(container):
            match = _INSTALL.match(line)
            if match:
                yield (
                    (*path, field, index),
                    f"`{match[0]}` at every start is slow and fails when its source is away; "
                    "build it into the image",
                )


def command_in_one_word(values: MergedValues) -> Iterator[FieldMessage]:
    """A command is a list of words and no shell splits it, so a first word with spaces is a program that does not
    exist: write a list entry for each word."""
    for path, container in containers(values):
        command = container.get("command") or [""]
        if re.search(r"\s", command[0].strip()):
            split = ", ".join(command[0].split())
            yield (
                (*path, "command", 0),
                f"no shell splits it, so the program would be called {command[0]!r}; write [{split}]",
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
                        f"{match[0]} stays as it is, for no shell reads it; write $({match[1]})",
                    )


def plain_secret(values: MergedValues) -> Iterator[FieldMessage]:
    """A password in a values file is read by everyone who can read the repository: keep it in a Secret, and take
    it from there by `extraEnv` with `valueFrom.secretKeyRef`."""
    for path, _ in secrets(values):
        yield (
            path,
            "it looks like a secret in plain text; keep it in a Secret, and take it from there by extraEnv "
            "with valueFrom.secretKeyRef",
        )


def batching_without_concurrency(values: MergedValues) -> Iterator[FieldMessage]:
    """A server that gathers requests into batches gets one at a time while `pod.max_concurrency` is 1: set it to
    the size of a batch. Recognised by a variable or option called max batch size or enable batching."""
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
                    f"{name} gathers requests into batches, but pod.max_concurrency lets in one at a time; set "
                    "pod.max_concurrency to the size of a batch",
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
