"""Render the chart with helm, find things in the rendered objects, and shorten helm's error messages."""

import argparse
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
from cortex_async_tools.chart.values_file.patterns import in_words

Object = dict[str, Any]
"""A Kubernetes object."""


ASSUMED: Sequence[str | Path] = ("--values", Path(__file__).with_name("assumed.yaml"))
"""Arguments of helm with the values below every file: those that a release gets from elsewhere."""


class RenderError(CortexError):
    """Helm refused the values, or an expected object was not rendered."""


class HelmRefused(CortexError):
    """Helm ended with an error. The message is its reason; `output` is what it printed to standard output."""

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
    """Switch off Go's garbage collector: helm runs too briefly to need it, and it takes a third of the time."""
    return {"GOGC": "off", **os.environ}


def add_overlays_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the option for further values files: `overlays`, a list of paths."""
    parser.add_argument(
        "-f",
        "--values",
        dest="overlays",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="values file laid over VALUES, as helm does with each further --values; repeatable",
    )


def as_arguments(files: Sequence[Path]) -> list[str | Path]:
    """Return values files as arguments of helm, of which the last one wins."""
    return [word for file in files for word in ("--values", file)]


def render_file(file: Path, chart: Path, overlays: Sequence[Path] = ()) -> list[Object]:
    """Check values files against schema and chart, and return their objects; raises ValuesError or RenderError."""
    if findings := check_values(file, chart, over=overlays):
        raise ValuesError(file, findings)
    return render(file, chart, release_name(file), as_arguments([file, *overlays]))


def render(
    source: Path | str, chart: Path, release: str, arguments: Sequence[Path | str], stdin: str = ""
) -> list[Object]:
    """Render the chart and return its objects; `source` names the values in a RenderError."""
    try:
        return load_manifest(run_helm(helm.locate(), ["template", release, chart, *ASSUMED, *arguments], stdin))
    except HelmRefused as error:
        raise RenderError(f"helm refuses {source}: {error}") from error


def api_config(objects: Iterable[Object]) -> ApiConfig:
    """Return the configuration that the chart renders for the gateway and the dispatcher."""
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
    """Return the name of the file's folder if it is a valid release name, else `local`.

    The API has the release's name when the values file has no `name`.
    """
    folder = file.resolve().parent.name
    return folder if re.fullmatch(r"[a-z]([-a-z0-9]{0,40}[a-z0-9])?", folder) else "local"


def helm_message(stderr: str) -> str:
    """Return the reason in helm's error output, without warnings and template positions."""
    text = re.sub(r"^(WARNING|level=|coalesce\.go).*\n?", "", stderr, flags=re.MULTILINE).strip()
    text = re.sub(r"\n*Use --debug flag to render out invalid YAML\s*$", "", text)
    text = re.sub(r"^Error: (failed to parse -: )?", "", text)
    *_, message = re.split(r"execution error at \([^)]*\): ", text)
    message = re.sub(r"^.*error calling fail: ", "", message, flags=re.DOTALL)
    message = re.sub(
        r"values don't meet the specifications of the schema.*\n.*:(?=\n- at )", "wrong values:", message
    )
    message = re.sub(
        r"does not match pattern '(.*)'$",
        lambda match: f"expected {in_words(match[1]) or 'text of another form'}",
        message,
        flags=re.MULTILINE,
    )
    return re.sub(
        r"^- at '/([^']*)'", lambda match: f"- {match[1].replace('/', '.')}", message, flags=re.MULTILINE
    )
