"""The command of an image, from the Dockerfile beside a values file: local mode pulls no image that would tell it.

Only ENTRYPOINT and CMD of the last stage are read. A container's own `args` take the place of CMD, as in
Kubernetes.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

_INSTRUCTION = re.compile(r"\s*(FROM|ENTRYPOINT|CMD)\s+(.+)", re.IGNORECASE | re.DOTALL)


def find_dockerfile(folder: Path, container: str, *, alone: bool) -> Path | None:
    """Return `<container>/Dockerfile`, `Dockerfile.<container>` or, when it is `alone`, `Dockerfile`, or None."""
    names = [f"{container}/Dockerfile", f"Dockerfile.{container}", *(["Dockerfile"] if alone else [])]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def image_command(text: str, args: Sequence[str]) -> list[str]:
    """Return the words that an image built by this Dockerfile runs, or [] when it leaves that to its base."""
    entrypoint: list[str] = []
    command: list[str] = []
    is_shell = False
    for line in _instructions(text):
        if not (found := _INSTRUCTION.fullmatch(line)):
            continue
        what, rest = found[1].upper(), found[2].strip()
        if what == "FROM":
            entrypoint, command, is_shell = [], [], False
        elif what == "CMD":
            command = _words(rest)[0]
        else:
            entrypoint, is_shell = _words(rest)
            command = []  # an ENTRYPOINT takes the base's CMD away
    if is_shell:
        return entrypoint  # a shell takes no further words
    return [*entrypoint, *(args or command)] if entrypoint or not args else []


def _instructions(text: str) -> list[str]:
    """Return the instructions, each in one line, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return re.sub(r"\\[ \t]*\n", " ", "\n".join(lines)).split("\n")


def _words(text: str) -> tuple[list[str], bool]:
    """Return the words of the exec form, or those that run the shell form; and whether it is the shell form."""
    try:
        words = json.loads(text)
        if isinstance(words, list) and all(isinstance(each, str) for each in words):
            return words, False
    except ValueError:
        pass
    return ["/bin/sh", "-c", text], True
