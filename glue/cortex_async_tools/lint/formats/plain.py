"""Findings as text for people, with the source line, and as a JSON document."""

import json
from collections.abc import Sequence

from cortex_async_tools.lint.diagnostic import Diagnostic

_WIDTH = 160
"""How many characters of a long source line are shown, around the finding."""


def text(found: Sequence[Diagnostic]) -> str:
    """Return each finding with its place and its source line, underlined at the finding."""
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
    return json.dumps({"findings": findings}, indent=2)


def _one(each: Diagnostic) -> str:
    where = f"{each.file}:{each.line}:{each.column}" if each.line else str(each.file)
    first = f"{where}: {each.severity} [{each.code}] {each.text}"
    if each.excerpt is None:
        return first
    number = str(each.line)
    start = max(0, each.column - 1 - _WIDTH // 2) if len(each.excerpt) > _WIDTH else 0
    shown = each.excerpt[start : start + _WIDTH]
    before, after = "…" * (start > 0), "…" * (start + len(shown) < len(each.excerpt))
    left = before + each.excerpt[start : each.column - 1]
    indent = "".join("\t" if letter == "\t" else " " for letter in left)
    marks = "^" * max(1, min(each.length, len(before + shown) - len(left)))
    return f"{first}\n  {number} | {before}{shown}{after}\n  {' ' * len(number)} | {indent}{marks}"
