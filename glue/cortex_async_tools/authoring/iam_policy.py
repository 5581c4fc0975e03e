"""Print the AWS permissions that an API needs, and no others: a JSON IAM policy for each of its parts.
With --trust it prints who may take the roles instead.

The gateway, the dispatcher (in the API's pods) and the provision Job each have a service account. The Job
needs a role of its own: it may change queues and, unless provision.lifecycleRule is false, the lifecycle of the
whole bucket. So provisioning and the pods never share one. The policy dead-letters is for whoever runs that
command.

If your own KMS key encrypts the bucket or a queue, name it with --kms-key: S3 and SQS use it to make data keys for
writing, and to decrypt them for reading and for completing multipart uploads (docs.aws.amazon.com, "Amazon SQS Key
management" and "Protecting data using server-side encryption with AWS KMS").
"""

import argparse
import functools
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import UnknownRegionError
from botocore.session import Session

from cortex_async.config import ApiConfig
from cortex_async.errors import CortexError
from cortex_async_tools.authoring import trust, writing
from cortex_async_tools.chart.rendering import Object, add_overlays_argument, api_config, find_object, render_file
from cortex_async_tools.chart.values_file import find_chart

PARTS = ("gateway", "dispatcher", "provision", "dead-letters")
"""The parts that call AWS."""

_ONE_ROLE_EACH = (
    "one role for each: provisioning and the pods never share one (provision.serviceAccount.annotations, "
    "serviceAccount.annotations, gateway.serviceAccount.annotations)"
)


_SKIP_CONTAINERS = "eks.amazonaws.com/skip-containers"


class PolicyError(CortexError):
    """There is no policy to print."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("values", type=Path, metavar="VALUES", help="values file of the API")
    add_overlays_argument(parser)
    parser.add_argument(
        "--for", dest="part", choices=PARTS, help="print this policy alone (default: all, as one object by part)"
    )
    parser.add_argument(
        "--account",
        type=_account,
        metavar="ID",
        help="AWS account of the queues (default: whichever the role is in, by a condition)",
    )
    parser.add_argument(
        "--kms-key",
        dest="kms_keys",
        type=_kms_key,
        action="append",
        default=[],
        metavar="ARN",
        help="KMS key of yours that encrypts the bucket or a queue (once for each)",
    )
    parser.add_argument(
        "--trust",
        choices=trust.KINDS,
        help="print the trust policy of each role instead: who may take it, by IRSA or by EKS Pod Identity",
    )
    parser.add_argument(
        "--namespace", "-n", default="default", help="namespace of the release, for --trust (default: %(default)s)"
    )
    parser.add_argument(
        "--oidc-provider",
        type=_oidc_provider,
        metavar="URL",
        help="the cluster's OIDC issuer, for --trust irsa",
    )
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to render (default: this checkout's)")


def run(args: argparse.Namespace) -> int:
    """Print the policies; raises ValuesError, RenderError or PolicyError."""
    objects = render_file(args.values, find_chart(args.chart), args.overlays)
    parts = _parts(objects)
    if args.part and args.part not in parts:
        raise PolicyError("provision.enabled is false, so there is no Job to have a policy")
    if args.trust:
        _print_trust(args, objects)
        return 0
    jobs = [each for each in objects if each["kind"] == "Job"]
    delete = any(each["metadata"]["name"].endswith("-delete") for each in jobs)
    lifecycle = not any("--no-lifecycle-rule" in _arguments(each) for each in jobs)
    api = api_config(objects)
    policies = {
        part: policy(api, part, args.account, args.kms_keys, delete=delete, lifecycle=lifecycle) for part in parts
    }
    print(json.dumps(policies[args.part] if args.part else policies, indent=2))
    if not args.part:
        print(_ONE_ROLE_EACH, file=sys.stderr)
    if args.part in (None, "dispatcher"):
        print(f"note: {_who_has_the_dispatchers(objects)}", file=sys.stderr)
    return 0


def _print_trust(args: argparse.Namespace, objects: Sequence[Object]) -> None:
    accounts = trust.service_accounts(objects)
    if args.part and args.part not in accounts:
        raise PolicyError(f"{args.part} has no service account: it is run by a person, with rights of their own")
    partition = _partition(api_config(objects).aws.region)
    policies = {
        part: trust.trust_policy(args.trust, args.namespace, name, args.account, args.oidc_provider, partition)
        for part, name in accounts.items()
    }
    print(json.dumps(policies[args.part] if args.part else policies, indent=2))
    if args.trust == "irsa":
        return
    for part, name in accounts.items():
        if args.part in (None, part):
            print(
                f"note: {part}: aws eks create-pod-identity-association --cluster-name <cluster> "
                f"--namespace {args.namespace} --service-account {name} --role-arn <ARN of the role>",
                file=sys.stderr,
            )


def _who_has_the_dispatchers(objects: Sequence[Object]) -> str:
    """Say whether the user's containers have the role of the dispatcher too."""
    pod = find_object(objects, "Deployment", "api")
    annotations = pod["spec"]["template"]["metadata"]["annotations"] if pod else {}
    if _SKIP_CONTAINERS in annotations:
        return (
            "on EKS the dispatcher alone gets its role, and the user's containers get none; "
            "serviceAccount.shareWithContainers: true is for code that calls AWS itself"
        )
    return (
        "serviceAccount.shareWithContainers is true, so the user's containers have the dispatcher's role too: "
        "add what their own code calls"
    )


def _arguments(job: Object) -> list[str]:
    return [word for each in job["spec"]["template"]["spec"]["containers"] for word in each.get("args", ())]


def _account(text: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", text):
        raise argparse.ArgumentTypeError(f"expected the 12 digits of an AWS account, got {text!r}")
    return text


def _oidc_provider(text: str) -> str:
    try:
        return trust.oidc_provider(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected an issuer such as https://oidc.eks.<region>.amazonaws.com/id/<id>, got {text!r}"
        ) from error


def _kms_key(text: str) -> str:
    if not re.fullmatch(r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(
            f"expected the ARN of a key (IAM takes no alias), such as arn:aws:kms:<region>:<account>:key/<id>, "
            f"got {text!r}"
        )
    return text


def policy(
    api: ApiConfig,
    part: str,
    account: str | None = None,
    kms_keys: Sequence[str] = (),
    *,
    delete: bool = False,
    lifecycle: bool = True,
) -> dict[str, Any]:
    """Return the policy of one part; raises PolicyError for an unknown region.

    `kms_keys` are the ARNs of keys that S3 and SQS may use. With `delete`, provision may delete the queues, with
    `lifecycle` it may change the lifecycle of the bucket.
    """
    partition = _partition(api.aws.region)
    queue = f"arn:{partition}:sqs:{api.aws.region}:{account or '*'}"
    found: dict[str, Any] = json.loads(
        writing.render_template(
            "iam-policy.json.j2",
            part=part,
            uploads=api.gateway.uploads,
            references=[
                f"arn:{partition}:s3:::{each.removeprefix('s3://')}*" for each in api.storage.payload_references
            ],
            queue=_given_queue(api, partition) if api.queue.url else f"{queue}:{api.queue.name}",
            dead_letters=f"{queue}:{api.queue.dead_letter_name}",
            webhooks=f"{queue}:{api.webhooks.queue_name}" if api.webhooks else None,
            lookup=api.queue.url is None,
            delete=["sqs:DeleteQueue"] if delete else [],
            lifecycle=lifecycle,
            bucket=f"arn:{partition}:s3:::{api.storage.bucket}",
            prefix=f"{api.storage.prefix}/{api.name}",
            kms_keys=kms_keys,
            kms_users=[f"{service}.{api.aws.region}.*" for service in ("s3", "sqs")],
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
    """Return the ARN of the queue in `queue.url`, which ends with the account and the name."""
    *_, account, name = ["*", *urlsplit(api.queue.url or "").path.split("/")]
    return f"arn:{partition}:sqs:{api.aws.region}:{account or '*'}:{name}"
