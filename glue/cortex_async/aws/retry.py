"""What to do with an answer that is not a success: a pure decision, after AWS's "standard" retry mode."""

import enum

_THROTTLED = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
    "TooManyRequestsException SlowDown BandwidthLimitExceeded PriorRequestNotComplete RequestLimitExceeded "
    "OverLimit KmsThrottled KMS.ThrottlingException".split()
)
_PASSING = frozenset(
    # OperationAborted and ConditionalRequestConflict: another write of the same S3 key is under way.
    "InternalError InternalFailure InternalServerError ServiceUnavailable RequestTimeout RequestTimeoutException "
    "OperationAborted ConditionalRequestConflict".split()
)
_EXPIRED = frozenset("ExpiredToken ExpiredTokenException TokenRefreshRequired".split())
_SKEWED = frozenset(
    "RequestTimeTooSkewed RequestExpired RequestInTheFuture InvalidSignatureException "
    "SignatureDoesNotMatch".split()
)


class Retry(enum.Enum):
    """What may be done about a failed call."""

    AFTER_DELAY = "try again after a delay"
    NEW_CREDENTIALS = "look the credentials up anew, then try again"
    NEW_CLOCK = "set the clock by the answer's Date, then try again"
    NEVER = "trying again changes nothing"


def decide(status: int, code: str) -> Retry:
    """Decide by the HTTP status and the service's error code (empty when the answer had none)."""
    if code in _EXPIRED:
        return Retry.NEW_CREDENTIALS
    if code in _SKEWED:
        return Retry.NEW_CLOCK
    if status in (429, 500, 502, 503, 504) or code in _THROTTLED or code in _PASSING:
        return Retry.AFTER_DELAY
    if status == 404 and not code:  # of an ingress or a mesh that does not find AWS
        return Retry.AFTER_DELAY
    return Retry.NEVER
