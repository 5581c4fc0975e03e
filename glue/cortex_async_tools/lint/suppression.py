"""Comments that suppress a warning: `# cortex-async: ignore CA003` in its line or the line above, or
`# cortex-async: ignore-file CA003` anywhere.

A comment may have several codes, followed by a reason. A comment that suppresses nothing is a warning itself, so
that it is removed when it is no longer needed.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*cortex-async:\s*(?P<what>[\w-]+)(?P<codes>(?:[\s,]+CA[0-9]+\b)*)")

UNUSED = "CA000"
"""The code of warnings about such comments."""


@dataclass
class IgnoreComment:
    """One such comment; `used` holds the codes that it has suppressed."""

    line: int
    column: int
    codes: tuple[str, ...]
    whole_file: bool
    used: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Suppressions:
    """The comments of one file; `wrong` holds line, column and message of those that are not valid."""

    ignores: list[IgnoreComment]
    wrong: list[tuple[int, int, str]]

    def suppress(self, code: str, line: int | None) -> bool:
        """Return whether a warning is suppressed, and record which comment did it."""
        found = False
        for each in self.ignores:
            near = each.whole_file or (line is not None and each.line in {line, line - 1})
            if code in each.codes and near:
                each.used.add(code)
                found = True
        return found

    def unused(self, decided: Collection[str]) -> Iterable[tuple[int, int, str]]:
        """Yield line, column and message for each code that suppressed nothing, if its check has run."""
        for each in self.ignores:
            for code in each.codes:
                if code in decided and code not in each.used:
                    place = "in this file" if each.whole_file else "in this line or the next"
                    yield each.line, each.column, f"there is no {code} {place} to ignore; remove the comment"


def find_suppressions(lines: list[str], known: Collection[str]) -> Suppressions:
    """Read the comments of a file; `known` are all existing codes."""
    ignores: list[IgnoreComment] = []
    wrong: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, start=1):
        match = _COMMENT.search(line)
        if match is None:
            continue
        column = match.start() + 1
        codes = tuple(re.findall(r"CA[0-9]+", match["codes"]))
        if match["what"] not in {"ignore", "ignore-file"}:
            wrong.append((number, column, f"expected `ignore` or `ignore-file`, got `{match['what']}`"))
        elif not codes:
            wrong.append((number, column, "expected the code of a warning after it, such as CA001"))
        for code in codes:
            if code not in known:
                wrong.append((number, column, f"there is no warning {code}"))
        ignores.append(IgnoreComment(number, column, codes, match["what"] == "ignore-file"))
    return Suppressions([each for each in ignores if each.codes], wrong)
