"""The output formats of lint. Each is a function that turns findings into text."""

from collections.abc import Callable, Sequence

from cortex_async_tools.lint.diagnostic import Diagnostic
from cortex_async_tools.lint.formats import github, plain, sarif

FORMATS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {
    "text": plain.text,
    "github": github.annotations,
    "json": plain.as_json,
    "sarif": sarif.log,
}
