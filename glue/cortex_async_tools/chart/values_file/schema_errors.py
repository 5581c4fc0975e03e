"""Turn jsonschema's errors into problems that the author of a values file understands.

jsonschema reports the rule that failed. A problem names the field, what was expected and what was found. For
alternatives (`oneOf`, `anyOf`) it reports the errors of the alternative that was most likely meant.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jsonschema.exceptions import ValidationError

from cortex_async_tools.chart.values_file.document import FieldPath
from cortex_async_tools.chart.values_file.kubernetes_words import form_hint, habit_hint
from cortex_async_tools.chart.values_file.messages import (
    description,
    expected,
    listed,
    nearest_name,
    schema_message,
    show,
)
from cortex_async_tools.chart.values_file.patterns import in_words
from cortex_async_tools.chart.values_file.removed_keys import replacement_hint


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the field at `path`."""

    path: FieldPath
    message: str


def explain(errors: Iterable[ValidationError]) -> list[Problem]:
    """Return at most one problem for each field: the most basic one.

    A field that is missing only because its name is misspelled is not reported; the misspelled name is.
    """
    problems: dict[FieldPath, Problem] = {}
    replaced: set[FieldPath] = set()
    for problem, nearest in (found for error in sorted(errors, key=_rank) for found in _explain(error)):
        problems.setdefault(problem.path, problem)
        if nearest is not None:
            replaced.add((*problem.path[:-1], nearest))
    strange = {path[:-1] for path, problem in problems.items() if problem.message.startswith(_UNKNOWN)}
    return [
        each
        for each in problems.values()
        if not (each.message == _MISSING and each.path in replaced)
        and not (each.message.endswith(_NONE) and each.path in strange)
    ]


def with_named_refusals(schema: Any) -> Any:
    """Return the schema with each `false` replaced by a rule that refuses the field, too.

    jsonschema leaves the field out of an error's path when the schema is `false`.
    """
    if isinstance(schema, list):
        return [with_named_refusals(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {key: with_named_refusals(value) for key, value in schema.items()}
    forbidden = {"not": {}, "description": schema.get("description", "")}
    for key in {"properties", "patternProperties"} & copied.keys():
        copied[key] = {name: forbidden if value is False else value for name, value in copied[key].items()}
    return copied


_Found = tuple[Problem, str | None]
"""A problem. For an unknown field, also the name of the field that was most likely meant."""

_MISSING = "required, but missing"
_UNKNOWN = "unknown field"
_NONE = "got none of them"


def _rank(error: ValidationError) -> int:
    """Return the order in which errors of one value matter: its type, then its form, then alternatives."""
    return {"type": 0, "enum": 1, "oneOf": 3, "anyOf": 3}.get(str(error.validator), 2)


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
    elif error.validator == "not" and not error.validator_value:
        meaning = description(error) or "beside the other fields given here"
        yield Problem(path, f"not allowed ({meaning})"), None
    elif "propertyNames" in error.absolute_schema_path:
        yield Problem((*path, str(error.instance)), schema_message(error)), None
    else:
        hint = form_hint(path, error.instance) if error.validator == "type" else None
        message = schema_message(error)
        yield Problem(path, f"{message}; {hint}" if hint else message), None


def _explain_unknown(error: ValidationError, path: FieldPath) -> Iterator[_Found]:
    schema: Any = error.schema
    fields: Any = error.instance
    known: dict[str, Any] = schema.get("properties", {})
    patterns: dict[str, Any] = schema.get("patternProperties", {})
    allowed = [pattern for pattern, rule in patterns.items() if rule.get("not") != {}]
    for name in fields:
        if name in known or any(re.search(pattern, name) for pattern in patterns):
            continue
        nearest = nearest_name(name, [each for each in known if each not in fields]) or nearest_name(name, known)
        if instead := replacement_hint((*path, name)) or habit_hint((*path, name)):
            hint, nearest = instead, None
        elif nearest is not None:
            hint = f"did you mean `{nearest}`?"
        elif known:
            hint = f"expected one of {', '.join(sorted(known))}"
        else:
            forms = " or ".join(in_words(pattern) or "a name of another form" for pattern in allowed)
            hint = f"expected {forms}" if forms else "none is expected here"
        yield Problem((*path, name), f"{_UNKNOWN}; {hint}"), nearest


def _explain_alternatives(error: ValidationError, path: FieldPath) -> Iterator[_Found]:
    branches: Any = error.validator_value
    names = [name for branch in branches for name in branch.get("required", ())]
    if all(set(branch) == {"required"} for branch in branches) and isinstance(error.instance, Mapping):
        given = [name for name in names if name in error.instance]
        if len(given) != 1:
            count = "exactly one" if error.validator == "oneOf" else "at least one"
            came = "got " + " and ".join(f"`{name}`" for name in given) if given else _NONE
            yield Problem(path, f"expected {count} of {listed(names)}, {came}"), None
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
    forms = " or ".join(dict.fromkeys(expected(each) for group in failed for each in group[:1]))
    yield Problem(path, f"expected {forms}, got {show(error.instance)}"), None


def _is_other_form(error: ValidationError) -> bool:
    """Return whether the alternative expects another kind of value, so that it was not meant."""
    return not error.relative_path and error.validator in {"type", "const", "enum", "not"}


def _distance(group: list[ValidationError]) -> tuple[int, int]:
    unknown = sum(each.validator in {"additionalProperties", "required"} for each in group)
    return unknown, len(group)
