"""The forms in which findings are printed: each a function from findings to text."""

from collections.abc import Callable, Sequence

from cortex_async_tools.lint.diagnostic import Diagnostic
from cortex_async_tools.lint.formats import github, plain, sarif

FORMATS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {
    "text": plain.text,
    "github": github.annotations,
    "json": plain.as_json,
    "sarif": sarif.log,
}
