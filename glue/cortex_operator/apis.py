"""An API, as its Deployment tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_operator.kubernetes import Object
from cortex_operator.replicas import moment

SELECTOR = "cortex.dev/api=true,app.kubernetes.io/component=api"
REVISION = "deployment.kubernetes.io/revision"
_NOT_DEPLOYERS = {"kube-controller-manager"}
"""Writers of a Deployment whose changes are no deployment."""


@dataclass(frozen=True)
class Api:
    """An API as its Deployment tells it."""

    name: str
    namespace: str
    deployment: str
    release: str
    uid: str
    revision: str
    last_updated: int
    requested: int
    ready: int
    up_to_date: int
    status_code: str
    is_updating: bool
    containers: Sequence[Mapping[str, Any]]

    def status(self) -> dict[str, Any]:
        """Return the status; `status_code` is what the published client looks at while it waits."""
        return {
            "ready": self.ready,
            "requested": self.requested,
            "up_to_date": self.up_to_date,
            "status_code": self.status_code,
        }


def read(deployment: Object) -> Api:
    """Reduce a Deployment."""
    metadata, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    annotations = metadata.get("annotations") or {}
    requested = int(spec.get("replicas", 1))
    ready, updated = int(status.get("readyReplicas", 0)), int(status.get("updatedReplicas", 0))
    old = max(0, int(status.get("replicas", 0)) - updated)
    seen = int(status.get("observedGeneration", 0)) >= int(metadata.get("generation", 0))
    # While replicas of an older template are there, only those surely ready beside them count as up to date: with
    # that a client that waits for ready = up_to_date = requested is not told so too early.
    up_to_date = (updated if not old else max(0, ready - old)) if seen else 0
    conditions = {each["type"]: each.get("reason") for each in status.get("conditions") or ()}
    stuck = conditions.get("Progressing") == "ProgressDeadlineExceeded"
    live = seen and requested == ready == up_to_date
    return Api(
        name=metadata["labels"]["apiName"],
        namespace=metadata["namespace"],
        deployment=metadata["name"],
        release=annotations.get("meta.helm.sh/release-name", metadata["labels"]["apiName"]),
        uid=metadata["uid"],
        revision=annotations.get(REVISION, "1"),
        last_updated=_last_updated(metadata),
        requested=requested,
        ready=ready,
        up_to_date=up_to_date,
        status_code="status_live" if live else "status_error" if stuck else "status_updating",
        is_updating=not seen or old > 0 or (updated < requested and not stuck),
        containers=[
            {"name": each["name"], "image": each["image"]} for each in spec["template"]["spec"]["containers"]
        ],
    )


def _last_updated(metadata: Mapping[str, Any]) -> int:
    """When somebody last changed more than the number of replicas: epoch seconds."""
    times = [
        each["time"]
        for each in metadata.get("managedFields") or ()
        if each.get("time") and not each.get("subresource") and each.get("manager") not in _NOT_DEPLOYERS
    ]
    return int(moment(max(times, default=metadata["creationTimestamp"])).timestamp())
