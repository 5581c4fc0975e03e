"""Find environment variables that look like secrets, by their names and values."""

import re
from collections.abc import Iterator
from typing import Any

from cortex_async_tools.chart.values_file.document import FieldPath

_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|(SECRET_)?ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY)$", re.IGNORECASE
)
_VALUE = re.compile(r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]*:[^/\s@]+@")


def secrets(values: Any) -> Iterator[tuple[FieldPath, Any]]:
    """Yield the path and value of each secret. The values need not be valid."""
    for path, name, value in _variables(values, ()):
        text = str(value)
        if value not in (None, "") and not text.startswith("$(") and (_NAME.search(name) or _VALUE.search(text)):
            yield path, value


def names_secret(line: str) -> bool:
    """Return whether a line contains the name of a secret, so that its value may follow."""
    return any(_NAME.search(word) for word in re.findall(r"\w+", line))


def _variables(values: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str, Any]]:
    entries = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in entries:
        here = (*path, key)
        if path[-1:] == ("env",):
            yield here, str(key), value
        elif path[-1:] == ("extraEnv",) and isinstance(value, dict):
            yield (*here, "value"), str(value.get("name")), value.get("value")
        else:
            yield from _variables(value, here)
