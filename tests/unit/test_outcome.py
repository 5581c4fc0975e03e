"""The table "What happens to a request", row by row."""

import json

import pytest

from cortex_async.dispatcher import outcome
from cortex_async.dispatcher.outcome import Action, Attempts, Decision, Failure, NoAnswer

FIRST, LAST = Attempts(1, 3), Attempts(3, 3)
JSON = "application/json"


@pytest.mark.parametrize(
    ("status", "content_type", "attempts", "action", "code"),
    [
        (200, JSON, FIRST, Action.COMPLETE, ""),
        (200, "Application/JSON; charset=utf-8", FIRST, Action.COMPLETE, ""),
        (201, "application/problem+json", LAST, Action.COMPLETE, ""),
        (200, "text/html", FIRST, Action.FAIL, "invalid_result"),
        (200, "", FIRST, Action.FAIL, "invalid_result"),
        (204, "", FIRST, Action.FAIL, "invalid_result"),
        (302, JSON, FIRST, Action.FAIL, "unexpected_status"),
        (400, JSON, FIRST, Action.FAIL, "rejected"),
        (404, JSON, LAST, Action.FAIL, "rejected"),
        (422, JSON, FIRST, Action.FAIL, "rejected"),
        (500, JSON, FIRST, Action.FAIL, "server_error"),
        (501, JSON, FIRST, Action.FAIL, "server_error"),
        *[(status, JSON, FIRST, Action.RETRY, "") for status in (408, 425, 429, 502, 503, 504)],
        *[(status, JSON, LAST, Action.FAIL, "unavailable") for status in (408, 425, 429, 502, 503, 504)],
    ],
)
def test_response(status: int, content_type: str, attempts: Attempts, action: Action, code: str) -> None:
    decision = outcome.on_response(status, content_type, None, attempts)
    assert (decision.action, decision.code) == (action, code)
    assert not decision.dead_letter


def test_retry_on_adds_status_codes() -> None:
    assert outcome.on_response(500, JSON, None, FIRST, (500,)).action is Action.RETRY
    assert outcome.on_response(500, JSON, None, LAST, (500,)).code == "unavailable"


@pytest.mark.parametrize(
    ("kind", "attempts", "action", "code", "dead_letter"),
    [
        (NoAnswer.REFUSED, FIRST, Action.RETRY, "", False),
        (NoAnswer.BROKEN, FIRST, Action.RETRY, "", False),
        (NoAnswer.REFUSED, LAST, Action.FAIL, "connection_refused", True),
        (NoAnswer.BROKEN, LAST, Action.FAIL, "connection_broken", True),
        (NoAnswer.TIMEOUT, FIRST, Action.FAIL, "timeout", False),
        (NoAnswer.TIMEOUT, LAST, Action.FAIL, "timeout", False),
    ],
)
def test_no_answer(kind: NoAnswer, attempts: Attempts, action: Action, code: str, dead_letter: bool) -> None:
    decision = outcome.on_no_answer(kind, attempts)
    assert (decision.action, decision.code, decision.dead_letter) == (action, code, dead_letter)


@pytest.mark.parametrize(
    ("current", "receive_count", "given_up"),
    [(1, 2, False), (3, 3, False), (3, 56, False), (4, 4, True), (1, 57, True)],
)
def test_attempts_are_limited_and_so_are_receives(current: int, receive_count: int, given_up: bool) -> None:
    decision = outcome.on_receive(Attempts(current, 3), receive_count)
    if given_up:
        assert decision is not None
        assert (decision.action, decision.code, decision.dead_letter) == (Action.FAIL, "attempts_exhausted", True)
    else:
        assert decision is None


@pytest.mark.parametrize(
    ("retry_after", "current", "seconds"),
    [
        (None, 1, 1),
        (None, 2, 2),
        (None, 5, 16),
        (None, 500, 60),
        ("0", 1, 1),  # no reason to make all attempts at once
        ("7", 1, 7),
        (" 7 ", 3, 7),
        ("99999999999999999999", 1, 900),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 1, 20),  # the tests' clock shows 40 s after the epoch
        ("Thu, 01 Jan 1970 00:00:10 GMT", 1, 1),
        ("soon", 2, 2),
        ("-5", 2, 2),
        ("", 2, 2),
    ],
)
def test_delay_of_a_retry(retry_after: str | None, current: int, seconds: int) -> None:
    assert outcome.retry_delay(Attempts(current, 1000), retry_after, now=40.0) == seconds


def test_retry_carries_what_the_container_asked_for() -> None:
    expected = Decision(Action.RETRY, delay_seconds=30)
    assert outcome.on_response(503, "text/plain", "30", FIRST) == expected


def test_failure_leaves_out_what_does_not_apply() -> None:
    document = json.loads(Failure("timeout", "too slow", 2).encode())
    assert document == {"code": "timeout", "message": "too slow", "attempts": 2}
