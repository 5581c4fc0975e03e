"""Where a pod finds the Kubernetes API, and how it trusts it."""

import ssl
from pathlib import Path
from typing import Final

SERVER: Final = "https://kubernetes.default.svc"
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""The folder of the service account's token, namespace and ca.crt."""


def trust(ca_file: Path) -> ssl.SSLContext:
    """Trust the cluster's own authority, whose certificate often lacks what RFC 5280 asks of one."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
