"""The wording of schema errors: what was expected, what was found, and the nearest valid name."""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from cortex_async_tools.chart.values_file.patterns import in_words

_NOUNS = {
    "object": "fields",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_SHOWN = 60  # characters of a value that a message shows


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was most likely meant: equal except for case and `_`, else a similar one."""
    folded = {_fold(candidate): candidate for candidate in known}
    same = folded.get(_fold(name))
    if same is not None:
        return same
    close = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def show(value: Any) -> str:
    """Return a value as JSON, cut off after 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def listed(names: list[str], quote: str = "`") -> str:
    """Join names with commas, each in quotes."""
    return ", ".join(f"{quote}{name}{quote}" for name in names)


def schema_message(error: ValidationError) -> str:
    """Return the message of an error: what was expected and what was found."""
    text = f"expected {expected(error)}, got {show(error.instance)}"
    rule: Any = error.validator_value
    if error.validator in {"enum", "const"}:
        known = [str(value) for value in (rule if error.validator == "enum" else [rule])]
        nearest = nearest_name(str(error.instance), known)
        return f"{text}; did you mean `{nearest}`?" if nearest else text
    meaning = description(error)
    if error.validator == "type" and set(_as_list(rule)) <= {"string", "null"} and _is_plain(error.instance):
        schema: Any = error.schema
        fits = re.search(schema.get("pattern", ""), show(error.instance))
        return f"{text}; put it in quotes" if fits else f"{text} ({meaning})"
    if error.validator == "not" and meaning:
        return f"{text} ({meaning})"
    if error.validator == "pattern" and meaning and not in_words(rule):
        return f"expected: {meaning}; got {show(error.instance)}"
    return text


def expected(error: ValidationError) -> str:
    """Return what the failed rule expects."""
    rule = _RULES.get(str(error.validator))
    return rule(error.validator_value) if rule else f"{error.validator} {show(error.validator_value)}"


def description(error: ValidationError) -> str:
    """Return the schema's description of the value, without its default."""
    schema: Any = error.schema
    return str(schema.get("description", "")).partition(" Default: ")[0].rstrip(".")


def _forbidden(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"anything but {listed([show(value) for value in schema['enum']], quote='')}"
    if "pattern" in schema:
        return f"anything but {in_words(schema['pattern']) or 'text of this form'}"
    return f"nothing that fits {show(schema)}"


_RULES: dict[str, Callable[[Any], str]] = {
    "type": lambda types: " or ".join(_NOUNS[each] for each in _as_list(types)),
    "enum": lambda values: listed([show(value) for value in values], quote=""),
    "const": show,
    "minimum": lambda limit: f"at least {limit}",
    "maximum": lambda limit: f"at most {limit}",
    "exclusiveMinimum": lambda limit: f"more than {limit}",
    "exclusiveMaximum": lambda limit: f"less than {limit}",
    "multipleOf": lambda unit: f"a multiple of {unit}",
    "minLength": lambda count: f"text of at least {_count(count, 'character')}",
    "maxLength": lambda count: f"text of at most {_count(count, 'character')}",
    "minItems": lambda count: f"at least {_count(count, 'entry', 'entries')}",
    "maxItems": lambda count: f"at most {_count(count, 'entry', 'entries')}",
    "minProperties": lambda count: f"at least {_count(count, 'field')}",
    "maxProperties": lambda count: f"at most {_count(count, 'field')}",
    "uniqueItems": lambda _: "entries that differ from each other",
    "pattern": lambda pattern: in_words(pattern) or "text of another form",
    "not": _forbidden,
}


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many or one + 's'}"


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
