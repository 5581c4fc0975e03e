"""What `new` and `import` share: options, templates, and writing files without overwriting any."""

import argparse
import functools
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from cortex_async.errors import CortexError
from cortex_async_tools.chart.helm_yaml import dump_yaml

PLACEHOLDERS = {"region": "us-west-2", "bucket": "my-cortex-bucket"}
"""Values of `aws` to use until the user gives real ones."""


class OutputError(CortexError):
    """A file cannot be written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that both commands have."""
    parser.add_argument("--region", help="AWS region of the queue and the bucket")
    parser.add_argument("--bucket", help="S3 bucket of payloads and results")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    parser.add_argument(
        "--chart", type=Path, metavar="FOLDER", help="chart to check with (default: this checkout's)"
    )


def aws_location(args: argparse.Namespace) -> dict[str, str]:
    """Return the `aws` section: the given options, and placeholders for the others."""
    return {name: getattr(args, name) or holder for name, holder in PLACEHOLDERS.items()}


def render_template(template: str, **variables: Any) -> str:
    """Render a template of this package."""
    return _environment().get_template(template).render(variables)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 (YAML and JSON, not HTML)
        loader=jinja2.PackageLoader("cortex_async_tools.authoring", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["scalar"] = _scalar
    environment.filters["quoted"] = shell_word
    return environment


def _scalar(value: Any) -> str:
    """Return a value as one line of YAML."""
    text = dump_yaml(value).removesuffix("...\n").strip()
    return json.dumps(value) if "\n" in text else text


def shell_word(path: Path | str) -> str:
    """Return a path as one word for a shell, with unprintable characters escaped."""
    text = str(path)
    return shlex.quote(text) if text.isprintable() else f"${text!a}"


def path_from_here(folder: Path) -> Path:
    """Return a folder's path from the working folder: what is written holds no absolute path of the machine."""
    return Path(os.path.relpath(folder))


def schema_reference(chart: Path, folder: Path) -> str | None:
    """Return the schema's path for editors, from the folder of the file; never an absolute one.

    None for a path with a space: editors stop reading there, and only an absolute address could hide it.
    """
    schema = chart.resolve() / "values.schema.json"
    source = chart.resolve().parent.parent / "schemas" / "values.schema.json"
    reference = os.path.relpath(source if source.is_file() else schema, folder.resolve())
    return reference if reference.isprintable() and " " not in reference else None


def write_files(texts: Mapping[Path, str], *, force: bool) -> None:
    """Write all files. Unless `force`, write none if any of them exists. Raises OutputError."""
    if folders := [str(file) for file in texts if file.is_dir()]:
        raise OutputError(f"expected a file to write, got the folder {', '.join(folders)}; name the file in it")
    taken = [str(file) for file in texts if os.path.lexists(file)]
    if taken and not force:
        raise OutputError(
            f"nothing is written, because these exist already: {', '.join(taken)}; overwrite with --force"
        )
    for file, text in texts.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {file.parent}: {error.strerror}") from error
        try:
            with file.open("w" if force else "x", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise OutputError(f"cannot write {file}: {error.strerror}") from error


def placeholder_notes(args: argparse.Namespace) -> list[str]:
    """Return a note about each placeholder that is still to be replaced."""
    missing = [name for name in PLACEHOLDERS if getattr(args, name) is None]
    if not missing:
        return []
    options = " and ".join(f"--{name}" for name in missing)
    fields = " and ".join(f"aws.{name} ({PLACEHOLDERS[name]})" for name in missing)
    what = "is a placeholder" if len(missing) == 1 else "are placeholders"
    return [f"without {options}, {fields} {what}: set your own"]
