"""Create what an API needs in AWS, or bring it up to date: its queues and the bucket's lifecycle rule.

Running it again changes nothing. A queue that the values name by `queue.url` is somebody else's: its settings are
left alone, and only the dead-letter queue is made. The bucket's other lifecycle rules are kept as they are; with
`--no-lifecycle-rule` so is the whole lifecycle, and not even read: something else makes the API's rule.

What may pass (no connection, a 5xx, a name still in use) is waited for; what will not, such as a wrong bucket or a
missing permission, ends the command at once.

With `--delete` the queues are deleted, with all that is in them. The lifecycle rule stays, and in time removes the
results.
"""

import argparse

from cortex_async import config, limits, logs
from cortex_async.aws.boto import client
from cortex_async.config import ApiConfig
from cortex_async.provision.bucket import ensure_bucket, ensure_lifecycle
from cortex_async.provision.failures import persist
from cortex_async.provision.queues import delete_queues, provision_queues


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    config.add_config_argument(parser)
    parser.add_argument(
        "--wait",
        type=float,
        default=limits.PROVISION_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long to try again what may pass (default: %(default)g)",
    )
    parser.add_argument(
        "--no-lifecycle-rule",
        dest="lifecycle_rule",
        action="store_false",
        help="leave the bucket's lifecycle alone: the rule for results is made elsewhere",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--create-bucket", action="store_true", help="create the bucket too, when it is missing")
    what.add_argument("--delete", action="store_true", help="delete the queues instead")


def run(args: argparse.Namespace) -> int:
    """Provision the API of `--config`, or delete its queues."""
    api = config.load(args.config)
    logs.configure("provision", api.name)
    if args.delete:
        delete(api, wait_seconds=args.wait)
    else:
        provision(
            api, create_bucket=args.create_bucket, lifecycle_rule=args.lifecycle_rule, wait_seconds=args.wait
        )
    return 0


def provision(
    api: ApiConfig,
    *,
    create_bucket: bool = False,
    lifecycle_rule: bool = True,
    wait_seconds: float = limits.PROVISION_WAIT_SECONDS,
) -> None:
    """Make everything, once it is clear that the bucket may be used; raises ProvisionError."""

    def make() -> None:
        s3 = client(api, "s3", tries=1)
        ensure_bucket(api, s3, create=create_bucket)
        provision_queues(api, client(api, "sqs", tries=1))
        if lifecycle_rule:
            ensure_lifecycle(api, s3)

    persist(make, wait_seconds)  # which tries again what a client would, and more evenly


def delete(api: ApiConfig, *, wait_seconds: float = limits.PROVISION_WAIT_SECONDS) -> None:
    """Delete the queue, unless it is somebody else's, then the dead-letter queue; raises ProvisionError."""
    persist(lambda: delete_queues(api, client(api, "sqs", tries=1)), wait_seconds)
