"""Print the least that AWS must allow an API: an IAM policy for each of its parts, as JSON.

The gateway, the dispatcher (the API's pods) and the provision Job have a service account each; dead-letters is for
whoever runs that command. A bucket or queue that is encrypted with a KMS key of yours asks for that key's
permissions in addition.
"""

import argparse
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import UnknownRegionError
from botocore.session import Session

from cortex_async.authoring import writing
from cortex_async.config import ApiConfig
from cortex_async.errors import CortexError
from cortex_async.rendering import Object, api_config, find_object, render_file
from cortex_async.values import find_chart

PARTS = ("gateway", "dispatcher", "provision", "dead-letters")
"""Who calls AWS."""


class PolicyError(CortexError):
    """There is no such policy."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("values", type=Path, metavar="VALUES", help="values file of the API")
    parser.add_argument(
        "--for", dest="part", choices=PARTS, help="print this policy alone (default: all, as one object by part)"
    )
    parser.add_argument(
        "--account",
        metavar="ID",
        help="AWS account of the queues (default: whichever the role is in, by a condition)",
    )
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to render (default: this checkout's)")


def run(args: argparse.Namespace) -> int:
    """Print the policies; raises ValuesError, RenderError or PolicyError."""
    objects = render_file(args.values, find_chart(args.chart))
    parts = _parts(objects)
    if args.part and args.part not in parts:
        raise PolicyError("provision.enabled is false, so there is no Job to have a policy")
    delete = any(each["metadata"]["name"].endswith("-delete") for each in objects if each["kind"] == "Job")
    policies = {part: policy(api_config(objects), part, args.account, delete=delete) for part in parts}
    print(json.dumps(policies[args.part] if args.part else policies, indent=2))
    return 0


def policy(api: ApiConfig, part: str, account: str | None = None, *, delete: bool = False) -> dict[str, Any]:
    """Return the policy of one part; raises PolicyError when the region is in no partition of AWS.

    With `delete`, provision may delete the queues.
    """
    partition = _partition(api.aws.region)
    queue = f"arn:{partition}:sqs:{api.aws.region}:{account or '*'}"
    found: dict[str, Any] = json.loads(
        writing.fill(
            "iam-policy.json.j2",
            part=part,
            queue=_given_queue(api, partition) if api.queue.url else f"{queue}:{api.queue.name}",
            dead_letters=f"{queue}:{api.queue.dead_letter_name}",
            lookup=api.queue.url is None,
            delete=["sqs:DeleteQueue"] if delete else [],
            bucket=f"arn:{partition}:s3:::{api.storage.bucket}",
            prefix=f"{api.storage.prefix}/{api.name}",
        )
    )
    return found


def _parts(objects: Sequence[Object]) -> list[str]:
    if find_object(objects, "Deployment", "emulator"):
        raise PolicyError("emulator.enabled is true, so nothing of AWS is used")
    return [part for part in PARTS if part != "provision" or find_object(objects, "Job", "provision")]


@functools.cache
def _partition(region: str) -> str:
    try:
        return str(Session().get_partition_for_region(region))
    except UnknownRegionError as error:
        raise PolicyError(f"aws.region: expected a region of AWS, got {region}") from error


def _given_queue(api: ApiConfig, partition: str) -> str:
    """Return the ARN of the queue that something else made: its URL ends with the account and the name."""
    *_, account, name = ["*", *urlsplit(api.queue.url or "").path.split("/")]
    return f"arn:{partition}:sqs:{api.aws.region}:{account or '*'}:{name}"
