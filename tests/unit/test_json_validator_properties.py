"""The streaming validator against json.loads: both accept the same texts, however they are cut into pieces."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_async.dispatcher.json_validator import MAX_DEPTH, InvalidJson, JsonValidator

fuzz = settings(max_examples=100)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=12,
)
TOKENS = '{ } [ ] : , true false null tru 0 1 01 - + . e E NaN Infinity \' " "a" \\ \\u 00e9 \\n é'.split()
tokens = st.sampled_from([*TOKENS, " ", "\n", "\x00", "\x7f", "\ufeff", "\u2028"])


def refuse(name: str) -> Any:
    raise ValueError(name)  # json.loads takes NaN and Infinity, which RFC 8259 does not


def is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode(), parse_constant=refuse, parse_int=str)
    except ValueError:
        return False
    return True


def is_accepted(data: bytes, cuts: list[int]) -> bool:
    validator = JsonValidator()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    try:
        for start, end in itertools.pairwise(places):
            validator.feed(data[start:end])
        validator.close()
    except InvalidJson:
        return False
    return True


cuts_at = st.lists(st.integers(0, 10_000), max_size=12)


@fuzz
@given(values, st.sampled_from([None, 0, 2]), st.booleans(), cuts_at)
def test_json_is_accepted_however_it_is_cut(
    value: Any, indent: int | None, ascii_only: bool, cuts: list[int]
) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "ignore")
    assert is_json(data)
    assert is_accepted(data, cuts)
    assert is_accepted(data, list(range(len(data))))


@fuzz
@given(st.lists(tokens, max_size=14).map("".join), cuts_at)
def test_tokens_in_any_order_are_judged_as_by_json_loads(text: str, cuts: list[int]) -> None:
    data = text.encode()
    assert is_accepted(data, cuts) == is_json(data)


@fuzz
@given(values, st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3), cuts_at)
def test_damaged_json_is_judged_as_by_json_loads(
    value: Any, place: int, inserted: bytes, removed: int, cuts: list[int]
) -> None:
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "ignore")
    place %= len(data) + 1
    damaged = data[:place] + inserted + data[place + removed :]
    assert is_accepted(damaged, cuts) == is_json(damaged)


@fuzz
@given(st.binary(max_size=40), cuts_at)
def test_any_bytes_are_judged_as_by_json_loads(data: bytes, cuts: list[int]) -> None:
    assert is_accepted(data, cuts) == is_json(data)


@pytest.mark.parametrize("depth", [1, 100, MAX_DEPTH])
def test_nesting_is_accepted_up_to_the_limit(depth: int) -> None:
    assert is_accepted(b"[" * depth + b"]" * depth, [])
    assert is_accepted(b'{"a":' * depth + b"1" + b"}" * depth, [1, 7, 100])
    assert not is_accepted(b"[" * depth + b"]" * (depth - 1), [])


def test_deeper_nesting_is_refused() -> None:
    assert not is_accepted(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), [])
