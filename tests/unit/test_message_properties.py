"""The queue message: whatever goes in comes out, SQS takes it, and what is none of ours is only ever NotOurs."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cortex_async.queue.message import Message, NotOurs, decode
from cortex_async.request_id import RequestIds

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "message.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
fuzz = settings(max_examples=100)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
# What HTTP allows, and no name that is dropped.
names = st.text("abcXYZ019!#$%&'*+-.^_`|~", max_size=20).map("X-".__add__)
values = text.map(lambda value: value.translate(dict.fromkeys(map(ord, "\0\r\n"))))
queries = text.map(lambda value: value.translate(dict.fromkeys([*range(0x21), 0x7F])))
payloads = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda value: value.encode("utf-8", "ignore")),
    st.text('\x00\x01\n"\\\ufffe\uffff\U0001ffff', max_size=40).map(str.encode),
)
messages = st.builds(
    lambda headers, query, payload: Message(
        RequestIds("c", "a").issue(), tuple(headers), query, payload, len(payload)
    ),
    st.lists(st.tuples(names, values), max_size=5),
    queries,
    payloads,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def is_accepted_by_sqs(body: str) -> bool:
    """The characters that SendMessage allows, by its API reference."""
    return all(
        character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
        for character in body
    )


@fuzz
@given(messages)
def test_message_comes_out_as_it_went_in(message: Message) -> None:
    assert decode(message.encode()) == message


@fuzz
@given(messages)
@example(Message("01a207ba-9ef4-8a7b-b665-85cddb36548c", (("a", "\uffff"),), "\ufffe", b"\xef\xbf\xbf", 3))
def test_message_is_accepted_by_sqs(message: Message) -> None:
    body = message.encode()
    assert is_accepted_by_sqs(body)
    body.encode()


@fuzz
@given(messages, st.none() | st.integers(0, 2**40))
def test_message_is_as_its_schema_says(message: Message, size: int | None) -> None:
    if size is not None:
        message = Message(message.id, message.headers, message.query, None, size)
    VALIDATOR.validate(json.loads(message.encode()))
    assert decode(message.encode()) == message


@fuzz
@given(messages)
def test_payload_costs_no_more_than_base64(message: Message) -> None:
    assert message.payload is not None
    empty = Message(message.id, message.headers, message.query, b"", 0)
    grown = len(message.encode().encode()) - len(empty.encode().encode())
    # Characters that SQS refuses turn the whole message into escapes, which its other parts pay for.
    if "\\uff" not in message.encode():
        assert grown <= 4 * ((len(message.payload) + 2) // 3) + len("base64") - len("text")


@fuzz
@given(st.text(max_size=200))
@example("")
@example("[" * 100_000)
@example("9" * 5000)
@example('{"version": 1}')
def test_any_text_is_a_message_or_not_ours(body: str) -> None:
    with contextlib.suppress(NotOurs):
        decode(body)


def test_message_that_is_not_ours_is_not_quoted() -> None:
    with pytest.raises(NotOurs) as caught:
        decode('{"version": 1, "payload": {"text": "secret"}, "headers": "secret"}')
    assert "secret" not in str(caught.value)


def variations() -> st.SearchStrategy[dict[str, Any]]:
    """Messages with one part replaced by something else, or left out."""
    return st.builds(
        lambda message, key, value, leave_out: {
            name: part
            for name, part in {**json.loads(message.encode()), key: value}.items()
            if not (leave_out and name == key)
        },
        messages,
        st.sampled_from(["version", "id", "headers", "query", "payload", "other"]),
        json_values
        | st.dictionaries(st.sampled_from(["text", "base64", "size"]), json_values, min_size=1)
        | st.lists(st.lists(json_values, max_size=3)),
        st.booleans(),
    )


@fuzz
@given(variations())
def test_message_with_a_wrong_part_is_not_ours_or_as_good_as_one(document: dict[str, Any]) -> None:
    try:
        message = decode(json.dumps(document))
    except NotOurs:
        return
    assert decode(message.encode()) == message


@pytest.mark.parametrize("payload", [b"", b"plain", "grüße".encode(), bytes(range(256)), b"\x00" * 100])
def test_payload_travels_as_text_or_base64(payload: bytes) -> None:
    message = Message(RequestIds("c", "a").issue(), (), "", payload, len(payload))
    part = json.loads(message.encode())["payload"]
    try:
        payload.decode()
        expected = {"text", "base64"}
    except UnicodeDecodeError:
        expected = {"base64"}
    assert part.keys() < expected or part.keys() == expected
    assert len(part) == 1
