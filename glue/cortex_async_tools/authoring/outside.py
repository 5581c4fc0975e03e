"""What an API of Cortex loses by an import, and how it is reached from outside again.

Cortex put a load balancer and an Istio gateway before its APIs, an address for calls between them, and a scaler of
its own. Here the platform's are used, and the values say which.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from typing import Any

_CHAINING = "http://ingressgateway-apis.istio-system.svc.cluster.local"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; at most one of them is taken."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--istio",
        type=_place,
        metavar="[NAMESPACE/]GATEWAY",
        help="reach the APIs by a VirtualService of this Istio Gateway",
    )
    ways.add_argument(
        "--http-route",
        type=_place,
        metavar="[NAMESPACE/]GATEWAY",
        help="reach the APIs by an HTTPRoute of this Gateway of the Gateway API",
    )
    ways.add_argument("--ingress", metavar="HOST", help="reach the APIs by an Ingress for this host")


def _place(text: str) -> str:
    label = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
    if not re.fullmatch(rf"({label}/)?{label}", text):
        raise argparse.ArgumentTypeError(f"expected a Gateway such as istio-system/public, got {text!r}")
    return text


def networking(args: argparse.Namespace) -> dict[str, Any]:
    """Return the part of `networking` that the options ask for; {} for none."""
    if args.istio:
        return {"istio": {"enabled": True, "gateways": [args.istio]}}
    if args.http_route:
        namespace, _, name = args.http_route.rpartition("/")
        parent = {"name": name, "namespace": namespace} if namespace else {"name": name}
        return {"httpRoute": {"enabled": True, "parentRefs": [parent]}}
    if args.ingress:
        return {"ingress": {"enabled": True, "hosts": [args.ingress]}}
    return {}


def losses(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an API had with Cortex and does not have with these values, and what to do."""
    name, ways = values["name"], values.get("networking") or {}
    endpoint = "/" + str(ways.get("endpoint") or name).strip("/")
    if not any((ways.get(way) or {}).get("enabled") for way in ("istio", "httpRoute", "ingress")):
        yield (
            f"its URL outside the cluster, <load balancer>{endpoint}: import again with --istio, --http-route or "
            "--ingress, or set networking"
        )
    yield (
        f"the address for other APIs, {_CHAINING}{endpoint}: in the cluster it is "
        f"http://api-{name}-gateway.<namespace>{endpoint}"
    )
    engine = (values.get("autoscaling") or {}).get("engine", "auto")
    if engine == "auto":
        yield "Cortex's own scaler: KEDA 2.17 or newer takes its place; without KEDA nothing scales the pods"
