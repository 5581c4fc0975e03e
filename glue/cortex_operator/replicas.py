"""What the replicas of an API do, as counts: decided from the pods alone."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cortex_operator.kubernetes import Object

STALLED_SECONDS = 900
"""A pod that has been pending for longer is stalled: no node has come for it."""

_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_STARTING = {"ContainerCreating", "PodInitializing"}


class Phase(StrEnum):
    """What one pod does."""

    PENDING = "pending"
    STALLED = "stalled"
    CREATING = "creating"
    NOT_READY = "not_ready"
    READY = "ready"
    ERR_IMAGE_PULL = "err_image_pull"
    TERMINATING = "terminating"
    FAILED = "failed"
    KILLED = "killed"
    KILLED_OOM = "killed_oom"
    UNKNOWN = "unknown"


def counts(pods: Iterable[Object], current_hash: str | None, requested: int, now: datetime) -> dict[str, int]:
    """Count pods by what they do; those of an older template count only when ready or terminating.

    `current_hash` is the pod-template-hash of the newest ReplicaSet; None counts every pod as up to date.
    """
    found = {each.value: 0 for each in Phase} | {"requested": requested, "ready_out_of_date": 0}
    for pod in pods:
        phase = phase_of(pod, now)
        labels = pod["metadata"].get("labels") or {}
        if current_hash in {None, labels.get("pod-template-hash")} or phase is Phase.TERMINATING:
            found[phase] += 1
        elif phase is Phase.READY:
            found["ready_out_of_date"] += 1
    return found


def phase_of(pod: Object, now: datetime) -> Phase:  # noqa: PLR0911 (a table of cases)
    """Decide what a pod does."""
    status = pod.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    if pod["metadata"].get("deletionTimestamp"):
        return Phase.TERMINATING
    if conditions.get("Ready") == "True":
        return Phase.READY
    if problem := _problem(containers):
        return problem
    match status.get("phase"):
        case "Failed":
            return Phase.FAILED
        case "Pending" if conditions.get("PodScheduled") != "True":
            old = (now - moment(pod["metadata"]["creationTimestamp"])).total_seconds() > STALLED_SECONDS
            return Phase.STALLED if old else Phase.PENDING
        case "Pending":
            return Phase.CREATING
        case "Running":
            waiting = {((each.get("state") or {}).get("waiting") or {}).get("reason") for each in containers}
            return Phase.CREATING if waiting & _STARTING else Phase.NOT_READY
    return Phase.UNKNOWN


def _problem(containers: Iterable[dict[str, Any]]) -> Phase | None:
    """Say why a container does not run: its image, or how it ended the last time."""
    for each in containers:
        state = each.get("state") or {}
        reason = (state.get("waiting") or {}).get("reason")
        if reason in _NO_IMAGE:
            return Phase.ERR_IMAGE_PULL
        ended = state.get("terminated") or (reason and (each.get("lastState") or {}).get("terminated"))
        if ended and ended.get("exitCode"):
            if ended.get("reason") == "OOMKilled":
                return Phase.KILLED_OOM
            return Phase.KILLED if ended["exitCode"] > 128 else Phase.FAILED
    return None


def moment(text: str) -> datetime:
    """Read a time as Kubernetes writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)
