"""Give a new API its first number of replicas: what `helm install` runs once, after the Deployment is there.

The chart itself never writes the number, since every upgrade would set it back then.
"""

import argparse
import json
import urllib.error
import urllib.request

from cortex_async import config, limits
from cortex_async.errors import CortexError
from cortex_async.http import kubernetes


class ScaleError(CortexError):
    """Kubernetes did not take the number."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    config.add_config_argument(parser)
    parser.add_argument("--replicas", type=int, required=True, help="the number of replicas to set")
    kubernetes.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Set the number; raises ScaleError."""
    name = f"api-{config.load(args.config).name}"
    namespace = (args.account / "namespace").read_text()
    url = f"{args.server}/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
    request = urllib.request.Request(  # noqa: S310 (the Kubernetes API, by http in tests only)
        url,
        method="PATCH",
        data=json.dumps({"spec": {"replicas": args.replicas}}).encode(),
        headers={
            "Authorization": f"Bearer {(args.account / 'token').read_text()}",
            "Content-Type": "application/merge-patch+json",
        },
    )
    context = None if url.startswith("http:") else kubernetes.trust(args.account / "ca.crt")
    try:
        with urllib.request.urlopen(request, timeout=limits.KUBERNETES_SECONDS, context=context):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        reason = error.read(limits.BODY_EXCERPT_BYTES).decode(errors="replace")
        raise ScaleError(f"Kubernetes refuses to scale {namespace}/{name} ({error.code}): {reason}") from error
    except OSError as error:
        raise ScaleError(f"cannot reach Kubernetes at {args.server}: {error}") from error
    print(f"{namespace}/{name} has {args.replicas} replicas to begin with")
    return 0
