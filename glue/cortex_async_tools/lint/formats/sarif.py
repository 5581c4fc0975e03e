"""Findings as a SARIF 2.1.0 log."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from cortex_async import __version__
from cortex_async_tools.lint.checks import CHECKS, CROSS_FILE, why
from cortex_async_tools.lint.diagnostic import STAGES, Diagnostic
from cortex_async_tools.lint.suppression import UNUSED


def log(found: Sequence[Diagnostic]) -> str:
    """Return a log of one run, which lists every rule."""
    codes = [*STAGES, UNUSED, *sorted([*CHECKS, *CROSS_FILE])]
    rules = [{"id": code, "shortDescription": {"text": STAGES.get(code) or why(code)}} for code in codes]
    driver = {"name": "cortex-async lint", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, codes.index(each.code)) for each in found],
    }
    return json.dumps({"version": "2.1.0", "runs": [run]}, indent=2)


def _result(each: Diagnostic, rule_index: int) -> dict[str, Any]:
    region = {"startLine": each.line or 1, "startColumn": each.column, "endColumn": each.column + each.length}
    place = {"artifactLocation": {"uri": _uri(each)}, "region": region}
    return {
        "ruleId": each.code,
        "ruleIndex": rule_index,
        "level": each.severity,
        "message": {"text": each.text},
        "locations": [{"physicalLocation": place}],
    }


def _uri(each: Diagnostic) -> str:
    return each.file.as_uri() if each.file.is_absolute() else quote(each.file.as_posix())
