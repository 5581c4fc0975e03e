"""What lint says about a place in a values file."""

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
"""Codes of errors: the stage that found it. Warnings have a code of their own each, CA001 and so on."""


@dataclass(frozen=True)
class Diagnostic:
    """One finding; line and column count from 1 (line is None when the whole file is meant).

    `excerpt` is the source line, None where it must not be shown again; `length` is how many characters of it
    are meant.
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
        """Whether it fails the run by itself, or only with --strict."""
        return "error" if self.code in STAGES else "warning"

    @property
    def text(self) -> str:
        """The message with the field it is about."""
        return f"{self.field}: {self.message}" if self.field else self.message

    @property
    def order(self) -> tuple[int, int, str]:
        """Sorts the findings of one file."""
        return (self.line or 0, self.column, self.code)


def diagnostic_at(
    file: Path, lines: list[str], line: int | None, column: int | None, code: str, field: str, message: str
) -> Diagnostic:
    """Return a diagnostic with its source line, the word at its column underlined."""
    column = column or 1
    if line is None or line > len(lines):
        return Diagnostic(file, line, column, code, field, message)
    source = lines[line - 1]
    word = re.match(r"- |[^\s:,\]}]+|.", source[column - 1 :])
    return Diagnostic(file, line, column, code, field, message, source, len(word[0].rstrip()) if word else 1)
