"""What is done about an answer of AWS that is not a success."""

import pytest

from cortex_async import backoff
from cortex_async.aws import retry
from cortex_async.aws.retry import Retry


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalError", Retry.AFTER_DELAY),
        (503, "SlowDown", Retry.AFTER_DELAY),
        (502, "", Retry.AFTER_DELAY),
        (504, "", Retry.AFTER_DELAY),
        (429, "", Retry.AFTER_DELAY),
        (400, "ThrottlingException", Retry.AFTER_DELAY),
        (400, "RequestThrottled", Retry.AFTER_DELAY),
        (400, "OverLimit", Retry.AFTER_DELAY),
        (400, "RequestTimeout", Retry.AFTER_DELAY),
        (409, "ConditionalRequestConflict", Retry.AFTER_DELAY),
        (400, "ExpiredToken", Retry.NEW_CREDENTIALS),
        (403, "ExpiredTokenException", Retry.NEW_CREDENTIALS),
        (403, "RequestTimeTooSkewed", Retry.NEW_CLOCK),
        (403, "SignatureDoesNotMatch", Retry.NEW_CLOCK),
        (403, "AccessDenied", Retry.NEVER),
        (404, "", Retry.AFTER_DELAY),
        (404, "NoSuchKey", Retry.NEVER),
        (404, "NoSuchBucket", Retry.NEVER),
        (412, "PreconditionFailed", Retry.NEVER),
        (400, "InvalidParameterValue", Retry.NEVER),
        (400, "QueueDoesNotExist", Retry.NEVER),
    ],
)
def test_decision(status: int, code: str, expected: Retry) -> None:
    assert retry.decide(status, code) is expected


def test_delays_grow_to_twenty_seconds_with_full_jitter() -> None:
    for failures, bound in ((0, 0.05), (1, 0.1), (3, 0.4), (20, 20.0), (10_000, 20.0)):
        delays = [backoff.delay_seconds(failures) for _ in range(200)]
        assert 0 <= min(delays) < bound / 2 < max(delays) <= bound
