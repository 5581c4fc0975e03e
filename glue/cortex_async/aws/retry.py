"""What to do with an answer that is not a success: a pure decision, after AWS's "standard" retry mode."""

import enum
import random

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

_FIRST_DELAY_SECONDS = 0.05
_LONGEST_DELAY_SECONDS = 20.0  # the same bound as in AWS's standard mode


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


def delay_seconds(failures: int) -> float:
    """How long to wait after that many failures in a row: exponential, with full jitter, at most 20 s."""
    bound = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** min(failures, 30))
    return random.uniform(0, bound)
