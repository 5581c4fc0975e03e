"""Runs helm over the chart, and says what helm has against a values file without helm's own words around it."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cortex_async.errors import CortexError


class HelmRefused(CortexError):
    """Helm ended with an error; the message is what it has against the values, `output` all that it printed."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def run_helm(program: Path, arguments: Sequence[str | Path], stdin: str = "") -> str:
    """Return what helm prints; raises `HelmRefused`, or `CortexError` when the program cannot be started."""
    try:
        done = subprocess.run(  # noqa: S603 (helm, without a shell)
            [program, *arguments], input=stdin, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise CortexError(f"cannot run {program}: {error.strerror}; name a helm that runs") from error
    if done.returncode != 0:
        raise HelmRefused(helm_message(done.stderr), done.stdout)
    return done.stdout


def release_name(file: Path) -> str:
    """Return the release's name, which is the API's when the file has no `name`: the folder's, if it can be."""
    folder = file.resolve().parent.name
    return folder if re.fullmatch(r"[a-z]([-a-z0-9]{0,40}[a-z0-9])?", folder) else "local"


def helm_message(stderr: str) -> str:
    """Return what helm has against the values, without what it says about its own templates."""
    text = re.sub(r"^(WARNING|level=|coalesce\.go).*\n?", "", stderr, flags=re.MULTILINE).strip()
    text = re.sub(r"\n*Use --debug flag to render out invalid YAML\s*$", "", text)
    text = re.sub(r"^Error: ", "", text)
    *_, message = re.split(r"execution error at \([^)]*\): ", text)
    message = re.sub(r"^.*error calling fail: ", "", message, flags=re.DOTALL)
    message = re.sub(
        r"values don't meet the specifications of the schema.*\n.*:(?=\n- at )", "wrong values:", message
    )
    return re.sub(
        r"^- at '/([^']*)'", lambda match: f"- {match[1].replace('/', '.')}", message, flags=re.MULTILINE
    )
