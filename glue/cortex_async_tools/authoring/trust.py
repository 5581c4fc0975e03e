"""Who may take the roles of an API: trust policies for the service accounts that the chart gives its parts.

With `irsa` (IAM roles for service accounts) the cluster's OIDC provider proves which service account asks; with
`pod-identity` EKS itself does, and names namespace and service account by session tags
(docs.aws.amazon.com, "Create IAM role with trust policy required by EKS Pod Identity").
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cortex_async.errors import CortexError
from cortex_async_tools.chart.rendering import Object, find_object

KINDS = ("irsa", "pod-identity")

_WORKLOADS = {
    "gateway": ("Deployment", "gateway"),
    "dispatcher": ("Deployment", "api"),
    "provision": ("Job", "provision"),
}
"""The object whose pods are a part, by kind and component."""


class TrustError(CortexError):
    """There is no trust policy to print."""


def service_accounts(objects: Sequence[Object]) -> Mapping[str, str]:
    """Return the name of the service account of each part that has pods."""
    found = {part: find_object(objects, *place) for part, place in _WORKLOADS.items()}
    return {
        part: str(each["spec"]["template"]["spec"]["serviceAccountName"])
        for part, each in found.items()
        if each is not None
    }


def trust_policy(
    kind: str, namespace: str, service_account: str, account: str | None, provider: str | None, partition: str
) -> dict[str, Any]:
    """Return the trust policy of one role; raises TrustError when `irsa` has no account or OIDC provider."""
    statement: dict[str, Any] = {"Effect": "Allow"}
    if kind == "irsa":
        if account is None or provider is None:
            raise TrustError(
                "--trust irsa needs --account and --oidc-provider, which `aws sts get-caller-identity --query "
                "Account` and `aws eks describe-cluster --query cluster.identity.oidc.issuer` tell"
            )
        statement |= {
            "Principal": {"Federated": f"arn:{partition}:iam::{account}:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{provider}:aud": "sts.amazonaws.com",
                    f"{provider}:sub": f"system:serviceaccount:{namespace}:{service_account}",
                }
            },
        }
    else:
        own = {"aws:SourceAccount": account} if account else {}
        tags = {"kubernetes-namespace": namespace, "kubernetes-service-account": service_account}
        statement |= {
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {f"aws:RequestTag/{key}": value for key, value in tags.items()} | own},
        }
    return {"Version": "2012-10-17", "Statement": [statement]}


def oidc_provider(text: str) -> str:
    """Return an OIDC issuer without its scheme, as IAM names it; raises ValueError for anything else."""
    name = text.removeprefix("https://").rstrip("/")
    if not re.fullmatch(r"[a-z0-9.-]+\.[a-z]+(/[A-Za-z0-9._-]+)*", name):
        raise ValueError(text)
    return name
