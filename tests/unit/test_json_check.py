"""The check of a whole text against the streaming validator: neither accepts what the other does not."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_async.dispatcher.json_validator import InvalidJson, JsonValidator, check

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
EDGES = [
    b"",
    b" ",
    b"NaN",
    b"-Infinity",
    b"[1e400]",
    b"1" * 10_000,
    b"[" * 5_000 + b"]" * 5_000,
    b"[" * 10_001 + b"]" * 10_001,
    b'"\\ud800"',
    b"\xef\xbb\xbf1",
    b"\xff",
    b'"\x7f\xc2\x80"',
    b'"\x1f"',
    b"\x0c1",
    b"1 2",
    b"01",
    b"1.",
    b"+1",
    "\u0661".encode(),
]


def says(validate: Any, body: bytes) -> str | None:
    try:
        validate(body)
    except InvalidJson as error:
        return str(error)
    return None


def stream(body: bytes) -> None:
    validator = JsonValidator()
    validator.feed(body)
    validator.close()


@pytest.mark.parametrize("body", EDGES, ids=lambda body: repr(body[:12]))
def test_edge_is_judged_as_the_validator_does(body: bytes) -> None:
    assert says(check, body) == says(stream, body)


@settings(max_examples=100)
@given(values, st.integers(0, 200), st.binary(max_size=2))
def test_text_with_a_change_is_judged_as_the_validator_does(value: Any, place: int, change: bytes) -> None:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    body = body[:place] + change + body[place + 1 :] if change else body
    assert says(check, body) == says(stream, body)
