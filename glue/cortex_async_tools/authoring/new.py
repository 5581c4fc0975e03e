"""Write a values file with comments for one API. The schema and helm check it first."""

import argparse
import re
import sys
from pathlib import Path

from cortex_async.errors import CortexError
from cortex_async_tools.authoring import writing
from cortex_async_tools.chart.rendering import render
from cortex_async_tools.chart.values_file import Chart
from cortex_async_tools.chart.values_file.document import parse_document

_OPTIONS = {
    "name": "NAME",
    "pod.port": "--port",
    "pod.max_concurrency": "--max-concurrency",
    "pod.containers[0].image": "--image",
    "pod.containers[0].compute.cpu": "--cpu",
    "pod.containers[0].compute.mem": "--mem",
    "pod.containers[0].compute.gpu": "--gpu",
    "aws.region": "--region",
    "aws.bucket": "--bucket",
}
"""The option that sets each field, for messages."""


class OptionsError(CortexError):
    """The options do not make a valid values file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("name", metavar="NAME", help="name of the API: of its objects, its queue and its path")
    parser.add_argument("--image", required=True, help="image of the container that handles requests")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="its HTTP port (default: %(default)s)")
    parser.add_argument("--cpu", default="200m", help="CPUs it asks for, such as 2 or 500m (default: %(default)s)")
    parser.add_argument("--mem", default="512Mi", help="memory it asks for, such as 4Gi (default: %(default)s)")
    parser.add_argument("--gpu", type=int, default=0, metavar="N", help="NVIDIA GPUs it needs (default: none)")
    parser.add_argument(
        "--max-concurrency", type=int, default=1, metavar="N", help="requests at once (default: %(default)s)"
    )
    parser.add_argument("--output", metavar="FILE", help="file to write; - for stdout (default: NAME.yaml)")
    writing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file and print what to do next."""
    chart = Chart(args.chart)
    if (args.output or "").endswith("/"):
        raise OptionsError(f"--output: expected a file, got the folder {args.output}; name the file in it")
    file = Path("values.yaml" if args.output == "-" else args.output or f"{args.name}.yaml")
    text = _text(args, chart.folder, file)
    findings = chart.check(parse_document(text))
    if findings:
        problems = [f"{_OPTIONS.get(each.path, each.path)}: {each.message}" for each in findings]
        raise OptionsError("\n  ".join(["nothing is written, because of", *problems]))
    render("these options", chart.folder, args.name, ["--values", "-"], text)
    if args.output == "-":
        print(text, end="")
    else:
        writing.write_files({file: text}, force=args.force)
        word = writing.shell_word(file)
        print(f"{word} is written; check it after every edit: cortex-async lint {word}")
    for note in (*writing.placeholder_notes(args), *_image_notes(args.image)):
        print(f"note: {note}", file=sys.stderr)
    return 0


def _text(args: argparse.Namespace, chart: Path, file: Path) -> str:
    return writing.render_template(
        "new.yaml.j2",
        schema=writing.schema_reference(chart, file.parent),
        file=file,
        chart=writing.path_from_here(chart),
        name=args.name,
        image=args.image,
        port=args.port,
        cpu=_number(args.cpu),
        mem=_number(args.mem),
        gpu=args.gpu,
        max_concurrency=args.max_concurrency,
        aws=writing.aws_location(args),
    )


def _number(text: str) -> str | int | float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return text
    return float(text) if "." in text else int(text)


def _image_notes(image: str) -> list[str]:
    name = image.rpartition("/")[2]
    if "@" in name or (":" in name and not name.endswith(":latest")):
        return []
    return [f"the image {image} has no fixed tag: pods started on different days may run different code"]
