"""Evaluates IAM policies, as far as the generated ones need it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from authoring.recorder import Use

Grant = tuple[str, str]
"""An action, and the ARN pattern that it is allowed on."""

_ACCOUNT = "123456789012"


def grants(policy: dict[str, Any]) -> list[Grant]:
    """Return each action with each resource. Fails for statements that this module cannot evaluate."""
    found = []
    for statement in policy["Statement"]:
        assert statement.keys() - {"Condition"} == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        found += [(action, resource) for action in statement["Action"] for resource in statement["Resource"]]
    assert len(found) == len(set(found))
    return found


def used(grant: Grant, uses: Iterable[Use]) -> bool:
    """Return whether one of the uses needs the grant."""
    return any(grant[0] == use.action and _matches(grant[1], _arn(use)) for use in uses)


def refused(policy: dict[str, Any], uses: Iterable[Use]) -> Iterator[Use]:
    """Yield the uses that no statement allows. The queues are in the role's own account."""
    for use in uses:
        if not any(
            use.action in each["Action"]
            and any(_matches(pattern, _arn(use)) for pattern in each["Resource"])
            and _holds(each.get("Condition", {}), use)
            for each in policy["Statement"]
        ):
            yield use


def _arn(use: Use) -> str:
    if use.action.startswith("sqs:"):
        return f"arn:aws:sqs:us-west-2:{_ACCOUNT}:{use.resource}"
    return f"arn:aws:s3:::{use.resource}"


def _holds(condition: dict[str, dict[str, str]], use: Use) -> bool:
    for operator, keys in condition.items():
        if operator == "StringLikeIfExists":
            assert keys.keys() == {"s3:prefix"}
            if use.prefix is not None and not _matches(keys["s3:prefix"], use.prefix):
                return False
        else:  # true, because the queues are in the role's own account
            assert (operator, keys) == ("StringEquals", {"aws:ResourceAccount": "${aws:PrincipalAccount}"})
    return True


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
