"""The bucket of an API, and its rule in the bucket's lifecycle."""

import logging
import time
from typing import Any

import botocore.exceptions

from cortex_async.config import ApiConfig
from cortex_async.provision.failures import ProvisionError

log = logging.getLogger(__name__)

_SMALLEST_TRANSITION = "TransitionDefaultMinimumObjectSize"  # beside the rules, and reset by a put without it
_TRIES = 15


def ensure_bucket(api: ApiConfig, s3: Any, *, create: bool) -> None:
    """See that the bucket is there and may be used; raises ProvisionError when it is not and is not to be made."""
    bucket = api.storage.bucket
    try:
        s3.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise ProvisionError(
                f"the bucket {bucket} may not be used (403): it is another account's, or the role of "
                "provision.serviceAccount.annotations, or the keys of aws.credentialsSecret, lack what "
                "cortex-async iam-policy prints; mend that or aws.bucket, then run helm upgrade --install again"
            ) from error
        if status != 404:
            raise
        if not create:
            raise ProvisionError(
                f"the bucket {bucket} does not exist: create it, or mend aws.bucket in the values, "
                "then run helm upgrade --install again"
            ) from error
        place = {} if api.aws.region == "us-east-1" else {"LocationConstraint": api.aws.region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
        log.info("bucket created", extra={"bucket": bucket})


def ensure_lifecycle(api: ApiConfig, s3: Any) -> None:
    """Let what the API stores expire: merge its rule with those that the bucket has; raises ProvisionError."""
    prefix = f"{api.storage.prefix}/{api.name}/"
    rule = {
        "ID": f"cortex-async {prefix}"[:255],
        "Filter": {"Prefix": prefix},
        "Status": "Enabled",
        "Expiration": {"Days": api.storage.retention_days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},  # of a bucket with versioning
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    _ensure_rule(s3, api.storage.bucket, rule)


def _ensure_rule(s3: Any, bucket: str, rule: dict[str, Any]) -> None:
    """Merge `rule` into the bucket's lifecycle; look again afterwards, since S3 cannot merge two writers."""
    for attempt in range(1, _TRIES + 1):
        found = _lifecycle(s3, bucket)
        rules = found.get("Rules", [])
        if rule in rules:
            log.info("lifecycle rule in place", extra={"bucket": bucket, "rule": rule["ID"]})
            return
        if attempt > 1:
            time.sleep(1.0)
        others = [_with_filter(other) for other in rules if other.get("ID") != rule["ID"]]
        beside = {key: value for key, value in found.items() if key == _SMALLEST_TRANSITION}
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [*others, rule]}, **beside
        )
    raise ProvisionError(
        f"the lifecycle rule of {bucket} is overwritten again and again; does something else manage it?"
    )


def _with_filter(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule whose prefix is in a filter: S3 refuses filters beside a rule of the older form."""
    if "Prefix" not in rule:
        return rule
    return {**{key: value for key, value in rule.items() if key != "Prefix"}, "Filter": {"Prefix": rule["Prefix"]}}


def _lifecycle(s3: Any, bucket: str) -> dict[str, Any]:
    try:
        return dict(s3.get_bucket_lifecycle_configuration(Bucket=bucket))
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return {}
        raise
