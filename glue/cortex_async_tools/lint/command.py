"""Find mistakes in values files: wrong fields, broken rules, objects that Kubernetes would refuse, and risky
settings.

A comment suppresses a warning (CA001 and so on): `# cortex-async: ignore CA001` in its line or the line above,
or `# cortex-async: ignore-file CA001` for the whole file.
In a folder, *.yaml and *.yml are linted; in the folders below it, values*.yaml and values*.yml. Hidden files and
folders are skipped.
Exit code: 0 nothing found (warnings count only with --strict), 1 something found, 2 could not run.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cortex_async.errors import CortexError
from cortex_async_tools.chart import helm
from cortex_async_tools.chart.rendering import add_overlays_argument
from cortex_async_tools.chart.values_file import find_chart
from cortex_async_tools.lint import kubernetes
from cortex_async_tools.lint.diagnostic import Diagnostic
from cortex_async_tools.lint.formats import FORMATS
from cortex_async_tools.lint.linter import Linter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "values",
        type=lambda text: Path("/dev/stdin" if text == "-" else text),
        nargs="*",
        metavar="VALUES",
        help="values files, or folders of them; - for stdin (default: ./values)",
    )
    add_overlays_argument(parser)
    parser.add_argument(
        "--kube-version",
        action="append",
        default=[],
        metavar="V",
        help="Kubernetes version to validate for, may be repeated (default: the oldest and the newest supported)",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="form of the findings (default: text)")
    parser.add_argument("--strict", action="store_true", help="fail for warnings, too")
    parser.add_argument("--helm", type=_program, metavar="PATH", help="helm to use (default: the one on PATH)")
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to lint against (default: this one's)")


def run(args: argparse.Namespace) -> int:
    """Lint, print what was found, and return the exit code."""
    files = _files(args.values)
    chart = find_chart(args.chart)
    versions = kubernetes.versions(chart, args.kube_version)
    program = helm.check(args.helm) if args.helm else helm.locate()
    found = Linter(chart, program, versions, args.overlays).lint(files)
    printed = FORMATS[args.format](found)
    if printed:
        print(printed)
    print(_summary(found, len(files)), file=sys.stderr)
    return int(any(args.strict or each.severity == "error" for each in found))


def _program(text: str) -> Path:
    return Path(text).absolute() if os.sep in text else Path(text)  # a Path would drop a leading ./


def _files(given: Sequence[Path]) -> list[Path]:
    """Return the files to lint, each once; raises `CortexError` when there are none."""
    files: dict[str, Path] = {}
    for each in given or [Path("values")]:
        if given and not each.exists():
            raise CortexError(f"{each}: no such file")
        found = _inside(each) if each.is_dir() else [each] if given else []
        if not found:
            raise CortexError(f"there are no values files under {each}; name the files to lint")
        for file in found:
            files.setdefault(os.path.realpath(file), file)
    return list(files.values())


def _inside(folder: Path) -> list[Path]:
    """Return the values files of a folder; raises OSError when a folder cannot be read."""

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    seen: set[str] = set()  # symbolic links may form a loop
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [each for each in folders if not each.startswith(".")]
        pattern = r"(?!\.).*\.ya?ml" if Path(place) == folder else r"values.*\.ya?ml"
        found += [Path(place, name) for name in names if re.fullmatch(pattern, name)]
    return sorted(found)


def _summary(found: Sequence[Diagnostic], files: int) -> str:
    errors = sum(each.severity == "error" for each in found)
    counts = [(files, "file"), (errors, "error"), (len(found) - errors, "warning")]
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
