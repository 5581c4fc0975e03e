"""Every failure that the decisions can lead to is as schemas/failure.schema.json says, and it names no other."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cortex_async import limits
from cortex_async.dispatcher import outcome
from cortex_async.dispatcher.outcome import Action, Attempts, Decision, Failure, NoAnswer

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "failure.schema.json").read_text())
LAST = Attempts(3, 3)


def every_failure() -> list[Decision]:
    decisions = [
        outcome.on_receive(Attempts(4, 3), 4),
        outcome.on_wait(11, 10),
        outcome.on_invalid_json("expected a value"),
        outcome.on_invalid_response("Bad status line"),
        outcome.on_missing_payload(),
        outcome.on_damaged_payload(),
        outcome.on_forbidden_reference(),
        outcome.on_missing_reference(),
        outcome.on_changed_reference(),
        outcome.on_unreadable_reference(LAST, 403),
        outcome.on_too_large_result("larger than S3 takes"),
        *(outcome.on_no_answer(kind, LAST) for kind in NoAnswer),
        *(outcome.on_response(status, "text/html", None, LAST) for status in range(100, 600)),
    ]
    return [decision for decision in decisions if decision and decision.action is Action.FAIL]


@pytest.mark.parametrize(("status", "body"), [(None, None), (404, ""), (599, "x" * limits.BODY_EXCERPT_BYTES)])
def test_every_failure_is_as_the_schema_says(status: int | None, body: str | None) -> None:
    validator = Draft202012Validator(SCHEMA)
    for decision in every_failure():
        failure = Failure(decision.code, decision.message, 3, status, body)
        validator.validate(json.loads(failure.encode()))


def test_schema_names_the_codes_there_are() -> None:
    codes = {decision.code for decision in every_failure()} | {outcome.on_cancelled().code}
    assert codes == set(SCHEMA["properties"]["code"]["enum"])
