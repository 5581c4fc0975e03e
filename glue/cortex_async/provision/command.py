"""Create what an API needs in AWS, or bring it up to date: its queues and the bucket's lifecycle rule.

Running it again changes nothing. A queue that the values name by `queue.url` is somebody else's: its settings are
left alone, and only the dead-letter queue is made. The bucket's other lifecycle rules are kept as they are.

With `--delete` the queues are deleted, with all that is in them. The lifecycle rule stays, and in time removes the
results.
"""

import argparse
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import botocore.exceptions

from cortex_async import config, limits, logs
from cortex_async.aws.boto import client
from cortex_async.config import ApiConfig
from cortex_async.errors import CortexError

log = logging.getLogger(__name__)

# SQS itself moves a message only after so many more receives than the dispatcher's own limit, so that the
# dispatcher sees it first and can leave a result.
_RECEIVES_BEYOND_LIMIT = 5
_OWNER = "release"  # the tag that says whose a queue is
_SMALLEST_TRANSITION = "TransitionDefaultMinimumObjectSize"  # beside the rules, and reset by a put without it
_TRIES = 15
_PAUSE_SECONDS = 5.0  # a name can be used again 60 s after its queue was deleted


class ProvisionError(CortexError):
    """AWS did not do what provision asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    config.add_config_argument(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--create-bucket", action="store_true", help="create the bucket too, when it is missing")
    what.add_argument("--delete", action="store_true", help="delete the queues instead")


def run(args: argparse.Namespace) -> int:
    """Provision the API of `--config`, or delete its queues."""
    api = config.load(args.config)
    logs.configure("provision", api.name)
    if args.delete:
        delete(api)
    else:
        provision(api, create_bucket=args.create_bucket)
    return 0


def provision(api: ApiConfig, *, create_bucket: bool = False) -> None:
    """Make everything, the dead-letter queue first so that no queue is without one; raises ProvisionError."""
    with _errors_told():
        _provision_queues(api, client(api, "sqs"))
        _provision_bucket(api, client(api, "s3"), create=create_bucket)


def delete(api: ApiConfig) -> None:
    """Delete the queue, unless it is somebody else's, then the dead-letter queue; raises ProvisionError."""
    with _errors_told():
        sqs = client(api, "sqs")
        names = [] if api.queue.url else [api.queue.name]
        for name in [*names, api.queue.dead_letter_name]:
            with suppress(sqs.exceptions.QueueDoesNotExist):
                url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
                _own_tags(sqs, name, url, api.release)
                sqs.delete_queue(QueueUrl=url)
                log.info("queue deleted", extra={"queue": name})


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.NoCredentialsError as error:
        raise ProvisionError(
            "no AWS credentials found: set AWS_PROFILE, or give the Job's service account a role"
        ) from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise ProvisionError(str(error)) from error


def _provision_queues(api: ApiConfig, sqs: Any) -> None:
    tags = {"cortex.dev/api": "true", "cluster": api.cluster_name, "apiName": api.name, _OWNER: api.release}
    size = (
        {"MaximumMessageSize": str(limits.SQS_BATCH_BYTES)}
        if api.queue.inline_limit_bytes > limits.SQS_OLD_MESSAGE_BYTES
        else {}
    )
    dead_letters = {"MessageRetentionPeriod": str(limits.SQS_RETENTION_DAYS * limits.SECONDS_A_DAY), **size}
    dead_letter_url = _ensure_queue(sqs, api.queue.dead_letter_name, dead_letters, tags)
    if api.queue.url:
        log.info("the queue is somebody else's, and left alone", extra={"queue": api.queue.url})
        return
    found = sqs.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": found["Attributes"]["QueueArn"],
        "maxReceiveCount": limits.receive_limit(api.queue.max_attempts) + _RECEIVES_BEYOND_LIMIT,
    }
    attributes = {
        "VisibilityTimeout": str(api.queue.visibility_timeout_seconds),
        "MessageRetentionPeriod": str(api.storage.retention_days * limits.SECONDS_A_DAY),
        "RedrivePolicy": json.dumps(redrive),
        **size,
    }
    _ensure_queue(sqs, api.queue.name, attributes, tags)


def _ensure_queue(sqs: Any, name: str, attributes: dict[str, str], tags: dict[str, str]) -> str:
    """Create the queue, or set those of its attributes and tags that differ; return its URL."""
    try:
        url = str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return _create_queue(sqs, name, attributes, tags)
    present = _own_tags(sqs, name, url, tags[_OWNER])
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    changed = {key: value for key, value in attributes.items() if not _same(found.get(key), value)}
    if changed:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    missing = tags.items() - present.items()
    if missing:
        sqs.tag_queue(QueueUrl=url, Tags=dict(missing))
    log.info("queue updated" if changed or missing else "queue unchanged", extra={"queue": name})
    return url


def _own_tags(sqs: Any, name: str, url: str, release: str) -> dict[str, str]:
    """Return the tags of a queue; raises ProvisionError when it is another release's."""
    tags: dict[str, str] = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    owner = tags.get(_OWNER, release)
    if owner != release:
        raise ProvisionError(
            f"the queue {name} is of the release {owner}, not of {release}: set another name or clusterName; "
            f"if that release is gone, delete the queue, or take its tag {_OWNER!r} away"
        )
    return tags


def _create_queue(sqs: Any, name: str, attributes: dict[str, str], tags: dict[str, str]) -> str:
    for attempt in range(1, _TRIES + 1):
        try:
            url = str(sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"])
        except sqs.exceptions.QueueDeletedRecently:
            if attempt == _TRIES:
                raise
            log.info("a queue of that name was deleted within the last minute; waiting", extra={"queue": name})
            time.sleep(_PAUSE_SECONDS)
        else:
            log.info("queue created", extra={"queue": name})
            return url
    raise AssertionError("unreachable")


def _same(found: str | None, wanted: str) -> bool:
    """Compare attribute values: a redrive policy as JSON, whose integers may come back as strings."""
    if found is None or not wanted.startswith("{"):
        return found == wanted
    one, other = json.loads(found), json.loads(wanted)
    return {key: str(value) for key, value in one.items()} == {key: str(value) for key, value in other.items()}


def _provision_bucket(api: ApiConfig, s3: Any, *, create: bool) -> None:
    bucket = api.storage.bucket
    try:
        s3.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        if not create:
            raise ProvisionError(
                f"the bucket {bucket} does not exist: create it, or mend aws.bucket in the values"
            ) from error
        place = {} if api.aws.region == "us-east-1" else {"LocationConstraint": api.aws.region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
        log.info("bucket created", extra={"bucket": bucket})
    prefix = f"{api.storage.prefix}/{api.name}/"
    rule = {
        "ID": f"cortex-async {prefix}"[:255],
        "Filter": {"Prefix": prefix},
        "Status": "Enabled",
        "Expiration": {"Days": api.storage.retention_days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},  # of a bucket with versioning
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    _ensure_rule(s3, bucket, rule)


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
