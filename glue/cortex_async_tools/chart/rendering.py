"""Runs helm over the chart, and says what helm has against a values file without helm's own words around it."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cortex_async import config
from cortex_async.config import ApiConfig
from cortex_async.errors import CortexError
from cortex_async_tools.chart import helm
from cortex_async_tools.chart.helm_yaml import load_manifest
from cortex_async_tools.chart.values_file import ValuesError, check_values

Object = dict[str, Any]
"""A Kubernetes object."""


class RenderError(CortexError):
    """Helm refused the values, or what was looked for is not in the chart."""


class HelmRefused(CortexError):
    """Helm ended with an error; the message is what it has against the values, `output` all that it printed."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def run_helm(program: Path, arguments: Sequence[str | Path], stdin: str = "") -> str:
    """Return what helm prints; raises `HelmRefused`, or `CortexError` when the program cannot be started."""
    try:
        done = subprocess.run(  # noqa: S603 (helm, without a shell)
            [program, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
            env=_environment(),
        )
    except OSError as error:
        raise CortexError(f"cannot run {program}: {error.strerror}; name a helm that runs") from error
    if done.returncode != 0:
        raise HelmRefused(helm_message(done.stderr) or _ending(done.returncode), done.stdout)
    return done.stdout


def _ending(code: int) -> str:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"helm {how} and said nothing"


def _environment() -> dict[str, str]:
    """Helm is done before its memory is worth collecting, which would take a third of its time."""
    return {"GOGC": "off", **os.environ}


def render_file(file: Path, chart: Path) -> list[Object]:
    """Check a values file against schema and chart, and return its objects; raises ValuesError or RenderError."""
    if findings := check_values(file, chart):
        raise ValuesError(file, findings)
    return render(file, chart, release_name(file), ["--values", file])


def render(
    source: Path | str, chart: Path, release: str, arguments: Sequence[Path | str], stdin: str = ""
) -> list[Object]:
    """Return the chart's objects; `source` is what a RenderError calls the values."""
    try:
        return load_manifest(run_helm(helm.locate(), ["template", release, chart, *arguments], stdin))
    except HelmRefused as error:
        raise RenderError(f"helm refuses {source}: {error}") from error


def api_config(objects: Iterable[Object]) -> ApiConfig:
    """Return what the chart tells the glue."""
    return config.parse(json.loads(find_data(objects, "ConfigMap", "api.json")))


def find_data(objects: Iterable[Object], kind: str, key: str) -> str:
    """Return the text under a key of a ConfigMap or Secret; raises RenderError."""
    for each in objects:
        if each["kind"] != kind:
            continue
        if key in (each.get("stringData") or {}):
            return str(each["stringData"][key])
        if key in (each.get("data") or {}):
            text = str(each["data"][key])
            return base64.b64decode(text).decode() if kind == "Secret" else text
    raise RenderError(f"the chart renders no {kind} with {key}; is it a cortex-async chart of this version?")


def find_object(objects: Iterable[Object], kind: str, component: str) -> Object | None:
    """Return the first object of a kind that belongs to a component: "api", "gateway", "provision", "emulator"."""
    for each in objects:
        labels = each["metadata"].get("labels") or {}
        if each["kind"] == kind and labels.get("app.kubernetes.io/component") == component:
            return each
    return None


def release_name(file: Path) -> str:
    """Return the release's name, which is the API's when the file has no `name`: the folder's, if it can be."""
    folder = file.resolve().parent.name
    return folder if re.fullmatch(r"[a-z]([-a-z0-9]{0,40}[a-z0-9])?", folder) else "local"


def helm_message(stderr: str) -> str:
    """Return what helm has against the values, without what it says about its own templates."""
    text = re.sub(r"^(WARNING|level=|coalesce\.go).*\n?", "", stderr, flags=re.MULTILINE).strip()
    text = re.sub(r"\n*Use --debug flag to render out invalid YAML\s*$", "", text)
    text = re.sub(r"^Error: (failed to parse -: )?", "", text)
    *_, message = re.split(r"execution error at \([^)]*\): ", text)
    message = re.sub(r"^.*error calling fail: ", "", message, flags=re.DOTALL)
    message = re.sub(
        r"values don't meet the specifications of the schema.*\n.*:(?=\n- at )", "wrong values:", message
    )
    return re.sub(
        r"^- at '/([^']*)'", lambda match: f"- {match[1].replace('/', '.')}", message, flags=re.MULTILINE
    )
