"""Findings as workflow commands of GitHub Actions, which shows them next to their lines.

Percent signs and line ends are always escaped; in properties, colons and commas too.
"""

from collections.abc import Sequence

from cortex_async_tools.lint.diagnostic import Diagnostic


def annotations(found: Sequence[Diagnostic]) -> str:
    """Return one command for each finding."""
    return "\n".join(_command(each) for each in found)


def _command(each: Diagnostic) -> str:
    properties = {
        "file": each.file.as_posix(),
        "line": str(each.line or 1),
        "col": str(each.column),
        "title": each.code,
    }
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{each.severity} {listed}::{_data(each.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
