"""Say what is wrong with values files: their fields, the rules between them, what is rendered, and what a reviewer
would ask about.

A reviewer's warning (CA001 and so on) is silenced by a comment in its line or the line above,
`# cortex-async: ignore CA001`, or for a whole file by `# cortex-async: ignore-file CA001`.
Exit code: 0 nothing found (warnings count only with --strict), 1 something found, 2 could not run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cortex_async import helm
from cortex_async.errors import CortexError
from cortex_async.lint import kubernetes
from cortex_async.lint.diagnostic import Diagnostic
from cortex_async.lint.formats import FORMATS
from cortex_async.lint.linter import Linter
from cortex_async.values import find_chart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "values",
        type=Path,
        nargs="*",
        metavar="VALUES",
        help="values files, or folders of them (default: ./values)",
    )
    parser.add_argument(
        "--kube-version",
        action="append",
        default=[],
        metavar="V",
        help="Kubernetes version to validate for, may be repeated (default: the oldest and the newest supported)",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="form of the findings (default: text)")
    parser.add_argument("--strict", action="store_true", help="let warnings fail too")
    parser.add_argument("--helm", type=Path, metavar="PATH", help="helm to use (default: the one on PATH)")
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to lint against (default: this one's)")


def run(args: argparse.Namespace) -> int:
    """Lint, print what was found, and return the exit code."""
    try:
        files = _files(args.values)
        chart = find_chart(args.chart)
        versions = kubernetes.versions(chart, args.kube_version)
        found = Linter(chart, args.helm or helm.locate(), versions).lint(files)
    except CortexError as error:
        print(f"cortex-async lint: {error}", file=sys.stderr)
        return 2
    printed = FORMATS[args.format](found)
    if printed:
        print(printed)
    print(_summary(found, len(files)), file=sys.stderr)
    return int(any(args.strict or each.severity == "error" for each in found))


def _files(given: Sequence[Path]) -> list[Path]:
    """Return the files to lint, each once; raises `CortexError` when there is none."""
    files: list[Path] = []
    for each in given or [Path("values")]:
        if given and not each.exists():
            raise CortexError(f"{each}: no such file")
        inside = [] if each.is_file() else sorted([*each.glob("*.yaml"), *each.glob("*/values.yaml")])
        if not inside and not each.is_file():
            raise CortexError(f"there are no values files under {each}; name the files to lint")
        files += inside or [each]
    return list(dict.fromkeys(files))


def _summary(found: Sequence[Diagnostic], files: int) -> str:
    errors = sum(each.severity == "error" for each in found)
    counts = [(files, "file"), (errors, "error"), (len(found) - errors, "warning")]
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
