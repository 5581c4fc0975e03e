"""What a schema error means to the person who wrote the values file.

jsonschema reports the rule that failed; a reader wants the field, what was expected there and what came. An
error in an alternative (`oneOf`, `anyOf`) is replaced by those of the alternative that was most likely meant.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jsonschema.exceptions import ValidationError

from cortex_async.values.document import FieldPath

_NOUNS = {
    "object": "fields",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_PATTERNS = {
    "^[a-z]([-a-z0-9]*[a-z0-9])?$": "lower-case letters, digits and `-`, a letter first and no `-` last",
}
_SHOWN = 60  # characters of a value that a message shows


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the field at `path`."""

    path: FieldPath
    message: str


def explain(errors: Iterable[ValidationError]) -> list[Problem]:
    """Turn schema errors into problems, each once; a missing field that a typo stands for is left out."""
    problems: dict[tuple[FieldPath, str], Problem] = {}
    replaced: set[FieldPath] = set()
    for problem, nearest in (found for error in errors for found in _explain(error)):
        problems[problem.path, problem.message] = problem
        if nearest is not None:
            replaced.add((*problem.path[:-1], nearest))
    return [problem for problem in problems.values() if not _is_replaced(problem, replaced)]


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was most likely meant: the same but for case and `_`, else a similar one."""
    folded = {_fold(candidate): candidate for candidate in known}
    same = folded.get(_fold(name))
    if same is not None:
        return same
    close = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def show(value: Any) -> str:
    """Return a value as JSON, cut to one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


_Found = tuple[Problem, str | None]
"""A problem, and the name of the field that an unknown one most likely stands for."""

_MISSING = "required, but missing"


def _is_replaced(problem: Problem, replaced: set[FieldPath]) -> bool:
    return problem.message == _MISSING and problem.path in replaced


def _explain(error: ValidationError) -> Iterator[_Found]:
    path = tuple(error.absolute_path)
    if error.validator in {"oneOf", "anyOf"}:
        yield from _explain_alternatives(error, path)
    elif error.validator in {"additionalProperties", "unevaluatedProperties"}:
        yield from _explain_unknown(error, path)
    elif error.validator == "required":
        names: Any = error.validator_value
        fields: Any = error.instance
        for name in names:
            if name not in fields:
                yield Problem((*path, name), _MISSING), None
    elif "propertyNames" in error.absolute_schema_path:
        yield Problem((*path, str(error.instance)), _sentence(error)), None
    else:
        yield Problem(path, _sentence(error)), None


def _explain_unknown(error: ValidationError, path: FieldPath) -> Iterator[_Found]:
    schema: Any = error.schema
    fields: Any = error.instance
    known: dict[str, Any] = schema.get("properties", {})
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", {})]
    for name in fields:
        if name in known or any(pattern.search(name) for pattern in patterns):
            continue
        nearest = nearest_name(name, [each for each in known if each not in fields]) or nearest_name(name, known)
        if nearest is None:
            expected = f"expected one of {', '.join(sorted(known))}" if known else "no fields are expected here"
        else:
            expected = f"did you mean `{nearest}`?"
        yield Problem((*path, name), f"unknown field; {expected}"), nearest


def _explain_alternatives(error: ValidationError, path: FieldPath) -> Iterator[_Found]:
    branches: Any = error.validator_value
    names = [name for branch in branches for name in branch.get("required", ())]
    if len(names) == len(branches) and isinstance(error.instance, Mapping):
        given = [name for name in names if name in error.instance]
        if len(given) != 1:
            count = "exactly one" if error.validator == "oneOf" else "at least one"
            came = " and ".join(f"`{name}`" for name in given) if given else "none of them"
            yield Problem(path, f"expected {count} of {_either(names)}, got {came}"), None
            return
    failed = [list(group) for _, group in groupby(error.context or (), lambda each: each.relative_schema_path[0])]
    if not failed:
        yield Problem(path, f"expected one of {len(branches)} forms, got one that is several at once"), None
        return
    inside = [group for group in failed if not any(_is_other_form(each) for each in group)]
    if inside:
        for each in min(inside, key=_distance):
            yield from _explain(each)
        return
    expected = " or ".join(dict.fromkeys(_expected(each) for group in failed for each in group[:1]))
    yield Problem(path, f"expected {expected}, got {show(error.instance)}"), None


def _is_other_form(error: ValidationError) -> bool:
    """Return whether the value is of another kind than this alternative wants, so that it cannot be meant."""
    return not error.relative_path and error.validator in {"type", "const", "enum", "not"}


def _distance(group: list[ValidationError]) -> tuple[int, int]:
    unknown = sum(each.validator in {"additionalProperties", "required"} for each in group)
    return unknown, len(group)


def _sentence(error: ValidationError) -> str:
    text = f"expected {_expected(error)}, got {show(error.instance)}"
    rule: Any = error.validator_value
    if error.validator in {"enum", "const"}:
        known = [str(value) for value in (rule if error.validator == "enum" else [rule])]
        nearest = nearest_name(str(error.instance), known)
        return f"{text}; did you mean `{nearest}`?" if nearest else text
    if error.validator == "type" and "string" in _as_list(rule) and _is_plain(error.instance):
        return f"{text}; put it in quotes"
    meaning = _description(error)
    if error.validator == "not" and meaning:
        return f"{text} ({meaning})"
    if error.validator == "pattern" and meaning and rule not in _PATTERNS:
        came = show(error.instance)
        return f"{text} ({meaning})" if len(rule) < _SHOWN else f"expected: {meaning}; got {came}"
    return text


def _expected(error: ValidationError) -> str:
    rule = _RULES.get(str(error.validator))
    return rule(error.validator_value) if rule else f"{error.validator} {show(error.validator_value)}"


def _description(error: ValidationError) -> str:
    schema: Any = error.schema
    return str(schema.get("description", "")).rstrip(".")


def _forbidden(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"anything but {_either([show(value) for value in schema['enum']], quote='')}"
    if "pattern" in schema:
        return f"text that does not match {schema['pattern']}"
    return f"nothing that fits {show(schema)}"


_RULES: dict[str, Callable[[Any], str]] = {
    "type": lambda types: " or ".join(_NOUNS[each] for each in _as_list(types)),
    "enum": lambda values: _either([show(value) for value in values], quote=""),
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
    "pattern": lambda pattern: _PATTERNS.get(pattern) or f"text that matches {pattern}",
    "not": _forbidden,
}


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def _either(names: list[str], quote: str = "`") -> str:
    return ", ".join(f"{quote}{name}{quote}" for name in names)


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many or one + 's'}"


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
