"""The queues of an API: its own, for dead letters, and for webhooks. Made, brought up to date, deleted."""

import json
import logging
from contextlib import suppress
from typing import Any

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.provision.failures import ProvisionError

log = logging.getLogger(__name__)

# SQS itself moves a message only after so many more receives than the dispatcher's own limit, so that the
# dispatcher sees it first and can leave a result.
_RECEIVES_BEYOND_LIMIT = 5
_OWNER = "release"  # the tag that says whose a queue is


def provision_queues(api: ApiConfig, sqs: Any) -> None:
    """Make the queues, the dead-letter queue first so that no queue is without one."""
    tags = {"cortex.dev/api": "true", "cluster": api.cluster_name, "apiName": api.name, _OWNER: api.release}
    size = (
        {"MaximumMessageSize": str(limits.SQS_BATCH_BYTES)}
        if api.queue.inline_limit_bytes > limits.SQS_OLD_MESSAGE_BYTES
        else {}
    )
    dead_letters = {"MessageRetentionPeriod": str(limits.SQS_RETENTION_DAYS * limits.SECONDS_A_DAY), **size}
    dead_letter_url = _ensure_queue(sqs, api.queue.dead_letter_name, dead_letters, tags)
    if api.webhooks is not None:
        kept = {
            "VisibilityTimeout": str(limits.WEBHOOK_VISIBILITY_SECONDS),
            "MessageRetentionPeriod": str(limits.WEBHOOK_RETENTION_SECONDS),
        }
        _ensure_queue(sqs, api.webhooks.queue_name, kept, tags)
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


def delete_queues(api: ApiConfig, sqs: Any) -> None:
    """Delete the queue, unless it is somebody else's, then the dead-letter queue and that of the webhooks."""
    names = [] if api.queue.url else [api.queue.name]
    names += [api.queue.dead_letter_name, *([api.webhooks.queue_name] if api.webhooks else [])]
    for name in names:
        with suppress(sqs.exceptions.QueueDoesNotExist):
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            _own_tags(sqs, name, url, api.release)
            sqs.delete_queue(QueueUrl=url)
            log.info("queue deleted", extra={"queue": name})


def _ensure_queue(sqs: Any, name: str, attributes: dict[str, str], tags: dict[str, str]) -> str:
    """Create the queue, or set those of its attributes and tags that differ; return its URL."""
    try:
        url = str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        url = str(sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"])
        log.info("queue created", extra={"queue": name})
        return url
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


def _same(found: str | None, wanted: str) -> bool:
    """Compare attribute values: a redrive policy as JSON, whose integers may come back as strings."""
    if found is None or not wanted.startswith("{"):
        return found == wanted
    one, other = json.loads(found), json.loads(wanted)
    return {key: str(value) for key, value in one.items()} == {key: str(value) for key, value in other.items()}
