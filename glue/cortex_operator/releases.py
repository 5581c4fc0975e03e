"""What Helm keeps of its releases: a Secret for each revision, with the values it was made of."""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_operator.errors import KubernetesError
from cortex_operator.kubernetes import Kubernetes

_KIND = "helm.sh/release.v1"


@dataclass(frozen=True)
class Revision:
    """One revision of a release: its number, when it was deployed (epoch seconds), and its state."""

    number: int
    deployed: float
    status: str


@dataclass(frozen=True)
class Values:
    """What a revision was made of: the chart's version, its own values, and those that were given."""

    chart_version: str
    defaults: Mapping[str, Any]
    given: Mapping[str, Any]


async def history(kubernetes: Kubernetes, namespace: str, release: str) -> Sequence[Revision]:
    """Return the revisions, newest first; the Secrets' contents are not read."""
    found = []
    async for each in kubernetes.list(
        "v1/secrets", [namespace], labels=f"owner=helm,name={release}", names_only=True
    ):
        labels = each["metadata"].get("labels") or {}
        if labels.get("version", "").isdecimal():
            changed = labels.get("modifiedAt") or labels.get("createdAt") or ""
            deployed = float(changed) if changed.isdecimal() else 0.0
            found.append(Revision(int(labels["version"]), deployed, labels.get("status", "unknown")))
    return sorted(found, key=lambda each: -each.number)


async def values(kubernetes: Kubernetes, namespace: str, release: str, number: int) -> Values | None:
    """Return what a revision was made of, or None when it is gone, or unreadable."""
    secret = await kubernetes.get("v1/secrets", namespace, f"sh.helm.release.v1.{release}.v{number}")
    if secret is None or secret.get("type") != _KIND:
        return None
    return decode(str((secret.get("data") or {}).get("release", "")))


def decode(text: str) -> Values | None:
    """Read a release as Helm stores it: JSON, compressed, in base64 twice; None when it is none."""
    try:
        packed = base64.b64decode(base64.b64decode(text))
        release = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
        chart = release["chart"]
        return Values(str(chart["metadata"]["version"]), chart.get("values") or {}, release.get("config") or {})
    except (binascii.Error, OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return None


def may_not_read(error: KubernetesError) -> bool:
    """Tell whether the operator lacks the right to read Secrets, rather than the answer."""
    return error.reason_status in {401, 403}


def merge(base: Mapping[str, Any], over: Mapping[str, Any], *, keep_null: bool = False) -> dict[str, Any]:
    """Lay one set of values over another, as helm does: objects are merged, and null takes a key away.

    Between files of values helm keeps null, and takes the key away when it comes to the chart's own (`keep_null`).
    """
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if value is None and not keep_null:
            result.pop(key, None)
        elif isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merge(below, value, keep_null=keep_null)
        else:
            result[key] = value
    return result
