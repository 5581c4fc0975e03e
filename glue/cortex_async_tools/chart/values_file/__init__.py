"""Check a values file against the chart's schema; each problem has a line and a message for the file's author.

As helm does, this checks the file *merged over the chart's defaults*. Rules that involve several fields are in
the chart's templates: `helm template` reports those.
"""

import functools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jsonschema.validators import validator_for

from cortex_async.errors import CortexError
from cortex_async_tools.chart.values_file.document import (
    Document,
    DocumentError,
    FieldPath,
    Position,
    parse_document,
    read_document,
)
from cortex_async_tools.chart.values_file.messages import show
from cortex_async_tools.chart.values_file.schema_errors import Problem, explain, with_named_refusals
from cortex_async_tools.chart.values_file.secrets import secrets

__all__ = [
    "Chart",
    "ChartNotFoundError",
    "Finding",
    "Overlay",
    "ValuesError",
    "check_values",
    "field_path",
    "find_chart",
    "finding_at",
    "finding_in",
    "laid_over",
    "merge",
    "unreadable_findings",
]


@dataclass(frozen=True)
class Finding:
    """One problem in a values file. Line and column start at 1, and are None when it concerns the whole file.

    `file` is None for the file that was asked about, else the one of those laid over it that has the problem.
    """

    path: str
    line: int | None
    column: int | None
    message: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ValuesError(CortexError):
    """The values file is wrong; `findings` lists every problem."""

    def __init__(self, file: Path, findings: list[Finding]) -> None:
        self.file = file
        self.findings = findings
        count = "1 problem" if len(findings) == 1 else f"{len(findings)} problems"
        lines = [f"{_place(finding.file or file, finding)}: {finding}" for finding in findings]
        super().__init__("\n  ".join([f"{count} in the values file", *lines]))


class ChartNotFoundError(CortexError):
    """No chart was found."""


def find_chart(folder: Path | None = None) -> Path:
    """Return the chart's folder: the given one, else the one of this checkout or installation."""
    source = Path(__file__).resolve().parents[4] / "charts" / "cortex-async"
    installed = Path(sys.prefix, "share", "cortex-async", "chart")
    chart = folder or next((each for each in (source, installed) if each.is_dir()), source)
    for name in ("Chart.yaml", "values.yaml", "values.schema.json"):
        if not (chart / name).is_file():
            hint = "name the chart's folder with --chart" if folder is None else "it is not a cortex-async chart"
            raise ChartNotFoundError(f"there is no {name} in {chart}; {hint}")
    return chart


@dataclass(frozen=True)
class Overlay:
    """A values file that is laid over another one, as helm does with each further `--values`."""

    file: Path
    document: Document


class Chart:
    """The chart's defaults and schema, read once for many files. Raises `ChartNotFoundError`."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = find_chart(folder)
        self.defaults = parse_document((self.folder / "values.yaml").read_text(encoding="utf-8")).values
        schema = with_named_refusals(json.loads((self.folder / "values.schema.json").read_text(encoding="utf-8")))
        self._validator = validator_for(schema)(schema)

    def check(
        self, document: Document, overlay: Mapping[str, Any] | None = None, over: Sequence[Overlay] = ()
    ) -> list[Finding]:
        """Return what the schema refuses, in the order of the files. The messages never contain a secret.

        `over` are the files laid over the document, the last one on top; `overlay` overrides all of them.
        """
        values = merge(merge(overlay or {}, laid_over(document, over), keep_nulls=True), self.defaults)
        problems = explain(self._validator.iter_errors(values))
        hidden = dict(secrets(values)) if problems else {}
        findings = [finding_in(document, over, each.path, _message(each, hidden)) for each in problems]
        places = [None, *(each.file for each in over)]
        return sorted(findings, key=lambda each: (places.index(each.file), each.line or 0, each.column or 0))


def laid_over(document: Document, over: Sequence[Overlay]) -> dict[str, Any]:
    """Return the values of a document with those of other files over it."""
    below = document.values
    return functools.reduce(lambda values, each: merge(each.document.values, values, keep_nulls=True), over, below)


def finding_in(document: Document, over: Sequence[Overlay], path: FieldPath, message: str) -> Finding:
    """Return a finding in the topmost file that has the field, or at its nearest parent in the document."""
    for each in reversed(over):
        if path and path in each.document.positions:
            return replace(finding_at(each.document, path, message), file=each.file)
    return finding_at(document, path, message)


def check_values(
    file: Path, chart: Path, overlay: Mapping[str, Any] | None = None, over: Sequence[Path] = ()
) -> list[Finding]:
    """Return the problems of a values file and of those laid over it, in the order of the files.

    `overlay` holds values that override them, as `helm --set` does. Raises `ChartNotFoundError`.
    """
    loaded = Chart(chart)
    documents: list[Document] = []
    unreadable: list[Finding] = []
    for each in (file, *over):
        try:
            documents.append(read_document(each))
        except DocumentError as error:
            place = None if each is file else each
            unreadable += [replace(found, file=place) for found in unreadable_findings(error)]
    if unreadable:
        return unreadable
    laid = [Overlay(each, document) for each, document in zip(over, documents[1:], strict=True)]
    return loaded.check(documents[0], overlay, laid)


def finding_at(document: Document, path: FieldPath, message: str) -> Finding:
    """Return a finding at the position of a field, or of its nearest parent in the file."""
    return _finding(path, document.position(path), message)


def unreadable_findings(error: DocumentError) -> list[Finding]:
    """Return the findings for a file that is not a single YAML mapping."""
    return [_finding(path, position, message) for path, position, message in error.problems]


def merge(over: Mapping[str, Any], under: Mapping[str, Any], *, keep_nulls: bool = False) -> dict[str, Any]:
    """Merge values over defaults as Helm does: maps are merged, other values replace, null removes a default."""
    merged = dict(under)
    for key, value in over.items():
        below = under.get(key)
        if value is None and key in under and not keep_nulls:
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = merge(value, below, keep_nulls=keep_nulls)
        else:
            merged[key] = value
    return merged


def field_path(path: FieldPath) -> str:
    """Return a path in the form used in messages: `pod.containers[0].image`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text


def _message(problem: Problem, secrets: Mapping[FieldPath, Any]) -> str:
    if problem.path not in secrets:
        return problem.message
    return problem.message.replace(f"got {show(secrets[problem.path])}", "got a value that is not shown")


def _finding(path: FieldPath, position: Position | None, message: str) -> Finding:
    line, column = (position.line, position.column) if position else (None, None)
    return Finding(field_path(path), line, column, message)


def _place(file: Path, finding: Finding) -> str:
    place = [str(file), *(str(part) for part in (finding.line, finding.column) if part is not None)]
    return ":".join(place)
