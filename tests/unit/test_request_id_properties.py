"""Request ids: an issued one is known, anything else is not, and no text makes the check fail."""

import re
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_async.request_id import RequestIds

IDS = RequestIds("cluster", "api")
LAST_MOMENT = (2**48 - 1) / 1000
moments = st.floats(0, LAST_MOMENT)
fuzz = settings(max_examples=100)


@fuzz
@given(moments)
def test_issued_id_tells_its_moment_to_the_millisecond(now: float) -> None:
    found = IDS.issued_at(IDS.issue(now))
    assert found is not None
    assert 0 <= now - found < 0.0011


@fuzz
@given(moments)
def test_issued_id_is_a_uuid_of_version_8(now: float) -> None:
    parsed = uuid.UUID(IDS.issue(now))
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)


@fuzz
@given(moments, st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=42))
def test_id_of_another_api_is_not_known(now: float, name: str) -> None:
    if name != "api":
        assert RequestIds("cluster", name).issued_at(IDS.issue(now)) is None


@fuzz
@given(st.integers(0, 35), st.sampled_from("0123456789abcdef"), moments)
def test_typo_is_not_known(place: int, character: str, now: float) -> None:
    request_id = IDS.issue(now)
    typo = request_id[:place] + character + request_id[place + 1 :]
    if typo != request_id:
        assert IDS.issued_at(typo) is None


@fuzz
@given(st.text(max_size=60) | st.from_regex(re.compile(r"[0-9a-f-]{36}"), fullmatch=True))
def test_any_other_text_is_not_known(text: str) -> None:
    assert IDS.issued_at(text) is None
    assert not IDS.is_current(text, 60)


@fuzz
@given(st.sampled_from(["{}\n", " {}", "{}\x00", "{{{}}}", "urn:uuid:{}", "{}/", "../{}"]), moments)
def test_only_the_canonical_spelling_is_known(form: str, now: float) -> None:
    request_id = IDS.issue(now)
    assert IDS.issued_at(form.format(request_id)) is None
    assert IDS.issued_at(request_id.upper()) is None or request_id.upper() == request_id


@fuzz
@given(moments, st.floats(-1e6, 1e7), st.floats(0, 1e6))
def test_id_is_current_within_the_retention_and_five_minutes_of_the_future(
    now: float, age: float, retention: float
) -> None:
    request_id = IDS.issue(now)
    issued_at = IDS.issued_at(request_id)
    assert issued_at is not None
    if min(abs(age + 300), abs(age - retention)) > 1:
        assert IDS.is_current(request_id, retention, issued_at + age) == (-300 <= age <= retention)
