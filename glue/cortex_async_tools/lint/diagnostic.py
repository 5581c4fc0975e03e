"""A finding of lint, with its place in the values file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]

STAGES = {
    "yaml": "The file is not one YAML mapping.",
    "schema": "The schema of the values refuses a field.",
    "rule": "A rule of the chart between fields is broken.",
    "helm": "helm cannot render the chart with these values.",
    "helm-lint": "helm lint --strict finds fault with what is rendered.",
    "kubernetes": "An API server would refuse a rendered object.",
}
"""The codes of errors, one for each stage of lint. Each kind of warning has its own code: CA001 and so on."""


@dataclass(frozen=True)
class Diagnostic:
    """One finding. Line and column start at 1; the line is None when it concerns the whole file.

    `excerpt` is the source line, or None when it may contain a secret. `length` is how many of its characters,
    from the column on, the finding is about.
    """

    file: Path
    line: int | None
    column: int
    code: str
    field: str
    message: str
    excerpt: str | None = None
    length: int = 1

    @property
    def severity(self) -> Severity:
        """An error always fails the run, a warning only with --strict."""
        return "error" if self.code in STAGES else "warning"

    @property
    def text(self) -> str:
        """The message, after the name of the field."""
        return f"{self.field}: {self.message}" if self.field else self.message

    @property
    def order(self) -> tuple[int, int, str]:
        """The sort key for the findings of one file."""
        return (self.line or 0, self.column, self.code)


def diagnostic_at(
    file: Path, lines: list[str], line: int | None, column: int | None, code: str, field: str, message: str
) -> Diagnostic:
    """Return a diagnostic with its source line and the length of the word at its column."""
    column = column or 1
    if line is None or line > len(lines):
        return Diagnostic(file, line, column, code, field, message)
    source = lines[line - 1]
    word = re.match(r"- |[^\s:,\]}]+|.", source[column - 1 :])
    return Diagnostic(file, line, column, code, field, message, source, len(word[0].rstrip()) if word else 1)
