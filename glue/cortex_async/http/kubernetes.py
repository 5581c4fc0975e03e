"""Where a pod finds the Kubernetes API, and how it trusts it."""

import argparse
import ssl
from pathlib import Path
from typing import Final

SERVER: Final = "https://kubernetes.default.svc"
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""The folder of the service account's token, namespace and ca.crt."""


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare the options that say where the API is, and who calls."""
    told = "the Kubernetes API (default: %(default)s)"
    parser.add_argument("--server", default=SERVER, metavar="URL", help=told)
    parser.add_argument(
        "--account",
        type=Path,
        default=ACCOUNT,
        metavar="FOLDER",
        help="the service account's token, namespace and ca.crt (default: %(default)s)",
    )


def trust(ca_file: Path) -> ssl.SSLContext:
    """Trust the cluster's own authority, whose certificate often lacks what RFC 5280 asks of one."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
