"""Read a YAML file as Helm does, with the position of every field.

Keys become text. A key that is written twice is an error here; Helm silently takes the last one.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cortex_async_tools.chart.helm_yaml import ValuesLoader
from cortex_async_tools.chart.values_file.messages import show

_MOST_NODES = 100_000
"""The most fields and list entries of a document with its aliases expanded. 1 kB of aliases can mean billions."""

FieldPath = tuple[str | int, ...]
"""The keys and list indices that lead from the root to a field."""


@dataclass(frozen=True)
class Position:
    """A place in a text file. Line and column start at 1. As in editors, CR, LF and CRLF end a line."""

    line: int
    column: int


class DocumentError(Exception):
    """The file is not a single YAML mapping; `problems` lists the reasons."""

    def __init__(self, problems: list[tuple[FieldPath, Position | None, str]]) -> None:
        super().__init__("; ".join(message for _, _, message in problems))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """The values of a file, and the position of each field."""

    values: dict[str, Any]
    positions: dict[FieldPath, Position] = field(repr=False)

    def position(self, path: FieldPath) -> Position:
        """Return the position of a field, or of its nearest parent when the file does not have it."""
        while path not in self.positions:
            path = path[:-1]
        return self.positions[path]


def read_document(file: Path) -> Document:
    """Read a values file; raises `DocumentError`."""
    return parse_document(read_text(file))


def read_text(file: Path) -> str:
    """Return the text of a YAML file; raises `DocumentError`."""
    try:
        return decode(file.read_bytes())
    except FileNotFoundError as error:
        raise _problem("no such file") from error
    except IsADirectoryError as error:
        raise _problem("expected a values file, got a directory; name the file in it") from error
    except OSError as error:
        raise _problem(f"cannot be read: {error.strerror}") from error


def decode(content: bytes) -> str:
    """Decode the bytes of a file, with LF as its only line end; raises `DocumentError`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _problem(f"expected UTF-8 text, got the byte {error.object[error.start]:#04x}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_document(text: str) -> Document:
    """Parse the text of a values file; raises `DocumentError`."""
    values, positions = parse_yaml(text)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise _problem(_not_a_mapping(values), Position(1, 1))
    return Document(values, {(): Position(1, 1)} | positions)


def parse_yaml(text: str) -> tuple[Any, dict[FieldPath, Position]]:
    """Return the value of one YAML document, and the position of each field; raises `DocumentError`."""
    places = _Positions(text)
    try:
        loader = ValuesLoader(text)
    except yaml.YAMLError as error:
        raise places.syntax_problem(error) from error
    try:
        root = loader.get_single_node()
        builder = _Builder(loader, places)
        values = builder.build(root, ()) if root is not None else None
    except yaml.YAMLError as error:
        raise places.syntax_problem(error) from error
    except RecursionError:
        raise _problem("fields and lists are nested too deeply") from None
    finally:
        loader.dispose()
    if builder.problems:
        raise DocumentError(builder.problems)
    return values, builder.positions


class _Positions:
    """Turns PyYAML's marks into positions. PyYAML also ends lines at U+0085, U+2028 and U+2029; editors do not."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0, *(end.end() for end in re.finditer(r"\r\n?|\n", text))]

    def of(self, mark: yaml.Mark) -> Position:
        line = bisect_right(self._lines, mark.index)
        return Position(line, mark.index - self._lines[line - 1] + 1)

    def syntax_problem(self, error: yaml.YAMLError) -> DocumentError:
        parts = [getattr(error, "context", None), getattr(error, "problem", None)]
        text = ", ".join(str(part) for part in parts if part) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is None:
            return _problem(f"not valid YAML: {text}")
        position = self.of(mark)
        if "'\\t'" in text:
            if self._text[mark.index - position.column + 1 : mark.index].strip():
                return _problem("expected a space, got a tab", position)
            text += "; YAML indents with spaces, not tabs"
        return _problem(f"not valid YAML: {text}", position)


class _Builder:
    """Turns YAML nodes into plain values, and collects positions and problems."""

    def __init__(self, loader: ValuesLoader, places: _Positions) -> None:
        self.loader = loader
        self.places = places
        self.positions: dict[FieldPath, Position] = {}
        self.problems: list[tuple[FieldPath, Position | None, str]] = []
        self._open: set[int] = set()
        self._nodes = 0

    def build(self, node: yaml.Node, path: FieldPath) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            text = f"with its aliases written out, it has more than {_MOST_NODES:,} fields and list entries"
            raise _problem(text, self._start(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self.problems.append((path, self._start(node), "an alias contains itself"))
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self._entry(item, item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _entry(self, at: yaml.Node, value: yaml.Node, path: FieldPath) -> Any:
        self.positions[path] = self._start(at)
        return self.build(value, path)

    def _start(self, node: yaml.Node) -> Position:
        return self.places.of(node.start_mark)

    def _mapping(self, node: yaml.Node, path: FieldPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                for source in _merge_sources(value_node):
                    merged = self.build(source, path) | merged
                continue
            key = self._key(key_node)
            here = (*path, key)
            if key in own:
                first = self.positions[here].line
                self.problems.append((here, self._start(key_node), f"written twice; the first is in line {first}"))
                continue
            own[key] = self._entry(key_node, value_node, here)
        return merged | own

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be text", node.start_mark)
        value = self._scalar(node, ())
        return str(value).lower() if isinstance(value, bool) else str(node.value)

    def _scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        try:
            return self.loader.construct_object(node)
        except (ValueError, KeyError, IndexError):
            kind = node.tag.rpartition(":")[2]
            self.problems.append((path, self._start(node), f"expected {kind}, got {show(node.value)}"))
            return None


def _merge_sources(node: yaml.Node) -> Iterator[yaml.Node]:
    sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for source in sources:
        if not isinstance(source, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "`<<` must name a mapping", source.start_mark)
        yield source


def _not_a_mapping(values: Any) -> str:
    if isinstance(values, list):
        return (
            "expected fields such as `pod:`, got a list; if it is the list of APIs of a cortex.yaml, "
            "`cortex-async import` makes a values file of each"
        )
    return f"expected fields such as `pod:`, got {show(values)}"


def _problem(message: str, position: Position | None = None) -> DocumentError:
    return DocumentError([((), position, message)])
