"""What AWS said when it did not do what provision asked: whether that passes by itself, and what to do if not.

A Job has little room for words, and its reader has none but them: each message names the key of the values that
has to be mended.
"""

import logging
import time
from collections.abc import Callable

import botocore.exceptions

from cortex_async import limits
from cortex_async.errors import CortexError

log = logging.getLogger(__name__)

_AGAIN = "then run helm upgrade --install again"
_RIGHTS = (
    "give the role of provision.serviceAccount.annotations, or the keys of aws.credentialsSecret, "
    f"what cortex-async iam-policy prints, {_AGAIN}"
)
_PASSING_CODES = {
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "OperationAborted",  # another change of the bucket is under way
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}
_KEY_CODES = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NO_CONNECTION = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)


class ProvisionError(CortexError):
    """AWS did not do what provision asked."""


def persist(action: Callable[[], None], seconds: float) -> None:
    """Do `action`, again and again while what stops it may pass, for so many seconds; raises ProvisionError."""
    end = time.monotonic() + seconds
    told = ""
    while True:
        try:
            return action()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            if not passes(error) or time.monotonic() + limits.PROVISION_PAUSE_SECONDS > end:
                raise ProvisionError(explain(error)) from error
            if str(error) != told:  # once: of a long log, helm prints a part
                told = str(error)
                log.warning("trying again: this may pass", extra={"reason": told})
            time.sleep(limits.PROVISION_PAUSE_SECONDS)


def passes(error: Exception) -> bool:
    """Whether it may succeed later with nothing changed: no connection, throttled, a 5xx, a name still in use."""
    if isinstance(error, botocore.exceptions.SSLError):
        return False
    if isinstance(error, botocore.exceptions.ClientError):
        return _status(error) >= 500 or _code(error) in _PASSING_CODES
    return isinstance(error, _NO_CONNECTION)


def explain(error: Exception) -> str:
    """Say what happened, and which key of the values or which permission to mend."""
    if isinstance(error, botocore.exceptions.NoCredentialsError):
        return (
            "no AWS credentials found: set provision.serviceAccount.annotations to a role, "
            "or aws.credentialsSecret to a Secret with keys, or aws.extraEnv to keys; or give that service "
            f"account a role by an EKS Pod Identity association; {_AGAIN}"
        )
    if isinstance(error, botocore.exceptions.SSLError):
        return f"{error}: let AWS_CA_BUNDLE in aws.extraEnv name the certificates to trust, {_AGAIN}"
    if isinstance(error, _NO_CONNECTION):
        return f"{error}: look at aws.endpointUrl, aws.region and the network's way out of the cluster, {_AGAIN}"
    if isinstance(error, botocore.exceptions.ClientError):
        if _code(error) in _KEY_CODES:
            return f"{error}: mend the keys in the Secret of aws.credentialsSecret, {_AGAIN}"
        if _status(error) in (401, 403):
            return f"{error}: {_RIGHTS}"
    return str(error)


def _status(error: botocore.exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
