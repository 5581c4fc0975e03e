"""Findings for people, with the source line, and as one JSON document."""

import json
from collections.abc import Sequence

from cortex_async.lint.diagnostic import Diagnostic


def text(found: Sequence[Diagnostic]) -> str:
    """Return each finding with its place, its source line and what is meant underlined."""
    return "\n".join(_one(each) for each in found)


def as_json(found: Sequence[Diagnostic]) -> str:
    """Return `{"findings": [...]}`."""
    findings = [
        {
            "file": str(each.file),
            "line": each.line,
            "column": each.column,
            "severity": each.severity,
            "code": each.code,
            "field": each.field,
            "message": each.message,
        }
        for each in found
    ]
    return json.dumps({"findings": findings}, indent=2, ensure_ascii=False)


def _one(each: Diagnostic) -> str:
    where = f"{each.file}:{each.line}:{each.column}" if each.line else str(each.file)
    first = f"{where}: {each.severity} [{each.code}] {each.text}"
    if each.excerpt is None:
        return first
    number = str(each.line)
    indent = "".join("\t" if letter == "\t" else " " for letter in each.excerpt[: each.column - 1])
    return f"{first}\n  {number} | {each.excerpt}\n  {' ' * len(number)} | {indent}{'^' * each.length}"
