"""The output of local mode: each line has the name of the process that wrote it."""

import json
import os
from collections.abc import Callable
from typing import TextIO

_COLOURS = (36, 32, 33, 35, 34, 96)  # ANSI foregrounds that are readable on dark and on light


class Output:
    """Prints lines as `name      | text`, in colour on a terminal.

    When the output is closed (`| head`), it calls `on_closed` once and drops the rest.
    """

    def __init__(self, stream: TextIO, names: list[str], on_closed: Callable[[], None]) -> None:
        self._stream = stream
        self._width = max(map(len, names))
        colour = stream.isatty() and "NO_COLOR" not in os.environ
        codes = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
        self._codes = codes if colour else {}
        self._on_closed = on_closed
        self._closed = False

    def line(self, name: str, text: str) -> None:
        """Print one line of a process."""
        label = f"{name:<{self._width}} |"
        code = self._codes.get(name)
        self._write(f"\x1b[{code}m{label}\x1b[0m {text}\n" if code else f"{label} {text}\n")

    def plain(self, text: str) -> None:
        """Print a line that belongs to no process."""
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        if self._closed:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            self._closed = True
            self._on_closed()


def format_log_line(line: str) -> str:
    """Return a JSON log line as text: level (unless info), message, fields. Other lines do not change."""
    try:
        record = json.loads(line)
        level, message = record.pop("level"), record.pop("message")
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    traceback = record.pop("traceback", None)
    fields = [f"{key}={value}" for key, value in record.items() if key not in {"time", "component", "api"}]
    text = " ".join([*([] if level == "info" else [f"{level}:"]), message, *fields])
    return f"{text}\n{traceback}" if traceback else text
