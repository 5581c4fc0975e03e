"""Why a release is not ready: what its Deployments, Jobs and pods say, and the events beside them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cortex_async_tools.doctor.cluster import ClusterError
from cortex_async_tools.doctor.subject import Finding, Subject

_PULLING = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"}
_UNSTARTED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def installed(subject: Subject) -> bool:
    """Whether the API's Deployment is in the cluster; False also when it may not be read."""
    (name,) = [each["metadata"]["name"] for each in subject.rendered("Deployment") if _component(each) == "api"]
    try:
        return subject.cluster.get(subject.path("apps/v1", "deployments", name)) is not None
    except ClusterError:
        return False


def check(subject: Subject) -> Iterator[Finding]:
    """Look at each Deployment that is to be, at provisioning, and at what scales the API."""
    try:
        yield from _job(subject)
        for each in subject.rendered("Deployment"):
            yield from _deployment(subject, each["metadata"]["name"], _component(each))
        yield from _scaling(subject)
    except ClusterError as error:
        yield Finding("release", "unknown", str(error))


def _component(each: Mapping[str, Any]) -> str:
    return str(each["metadata"]["labels"]["app.kubernetes.io/component"])


def _deployment(subject: Subject, name: str, component: str) -> Iterator[Finding]:
    found = subject.cluster.get(subject.path("apps/v1", "deployments", name))
    if found is None:
        yield Finding(name, "later", "not installed yet", subject.install)
        return
    status = found.get("status") or {}
    for each in status.get("conditions") or ():
        if each["type"] == "ReplicaFailure" and each["status"] == "True":
            yield Finding(
                name, "missing", each.get("message", ""), "let what refuses the pods take them, or change them"
            )
    pods = subject.cluster.items(
        subject.path("v1", "pods"),
        {"labelSelector": f"apiName={subject.api.name},app.kubernetes.io/component={component}"},
    )
    unready = [pod for pod in pods if not _is_ready(pod)]
    for pod in unready:
        yield from _pod(subject, pod)
    if not unready:
        wanted = int(found["spec"].get("replicas", 1))
        yield Finding(name, "ok", f"{int(status.get('readyReplicas', 0))} of {wanted} pods are ready")


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _pod(subject: Subject, pod: Mapping[str, Any]) -> Iterator[Finding]:
    """Say why a pod is not ready; at least one finding."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    here = f"pod {name}"
    said = [each for each in _containers(subject, here, status)]
    for each in status.get("conditions") or ():
        if each["type"] == "PodScheduled" and each["status"] == "False":
            text = f"no node takes it: {each.get('message', '')}"
            said.append(
                Finding(here, "missing", text, "add nodes, or ask for less (compute, node_groups, tolerations)")
            )
    if not said:
        events = _events(subject, name)
        mend = f"kubectl -n {subject.namespace} describe pod {name}"
        said.append(
            Finding(here, "missing", events[-1] if events else "it is not ready, and nothing says why", mend)
        )
    yield from said


def _containers(subject: Subject, here: str, status: Mapping[str, Any]) -> Iterator[Finding]:
    name = here.removeprefix("pod ")
    logs = f"kubectl -n {subject.namespace} logs {name} -c"
    unready = []
    for each in status.get("containerStatuses") or ():
        container, image = each["name"], each.get("image", "")
        waiting = (each.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        ended = (
            (each.get("lastState") or {}).get("terminated") or (each.get("state") or {}).get("terminated") or {}
        )
        if reason in _PULLING:
            text = f"the image {image} of {container} cannot be pulled: {waiting.get('message', reason)}"
            yield Finding(here, "missing", text, f"docker push {image}, or mend its name, or set imagePullSecrets")
        elif reason in _UNSTARTED:
            text = f"{container} cannot be started: {waiting.get('message', reason)}"
            yield Finding(here, "missing", text, f"kubectl -n {subject.namespace} describe pod {name}")
        elif ended and (reason or not each.get("ready")):
            yield _crash(here, container, ended, f"{logs} {container} --previous")
        elif not each.get("ready"):
            unready.append(container)
    others = [each for each in unready if each != "dispatcher"]
    if others:
        yield Finding(here, "missing", f"{' and '.join(others)} never got ready", f"{logs} {others[0]}")
    elif unready and not any(status.get("initContainerStatuses") or ()):
        text = (
            "the dispatcher is not ready: the readiness probes of the containers do not pass, or the queue is away"
        )
        yield Finding(here, "missing", text, f"{logs} dispatcher")


def _crash(here: str, container: str, ended: Mapping[str, Any], logs: str) -> Finding:
    if ended.get("reason") == "OOMKilled":
        text = f"{container} used more memory than it may"
        return Finding(here, "missing", text, "raise compute.mem of the container, or the node's room")
    text = (
        f"{container} ended with exit code {ended.get('exitCode')}: {ended.get('message') or ended.get('reason')}"
    )
    return Finding(here, "missing", text, logs)


def _events(subject: Subject, name: str) -> Sequence[str]:
    """Return the warnings about an object, the last one last."""
    found = subject.cluster.items(subject.path("v1", "events"), {"fieldSelector": f"involvedObject.name={name}"})
    warnings = [each for each in found if each.get("type") == "Warning"]
    warnings.sort(key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))
    return [f"{each.get('reason')}: {each.get('message')}" for each in warnings]


def _job(subject: Subject) -> Iterator[Finding]:
    """Look at the last provisioning Job, if it is still there: a hook's is gone when it has succeeded."""
    selector = f"apiName={subject.api.name},app.kubernetes.io/component=provision"
    jobs = subject.cluster.items(subject.path("batch/v1", "jobs"), {"labelSelector": selector})
    jobs.sort(key=lambda each: str(each["metadata"].get("creationTimestamp")))
    for job in jobs[-1:]:
        name = job["metadata"]["name"]
        conditions = {
            each["type"] for each in (job.get("status") or {}).get("conditions") or () if each["status"] == "True"
        }
        if conditions & {"Complete", "SuccessCriteriaMet"}:
            yield Finding("provisioning", "ok", f"the Job {name} has succeeded")
            continue
        pods = subject.cluster.items(subject.path("v1", "pods"), {"labelSelector": selector})
        said = [text for pod in pods for text in _last_words(pod)]
        words = said[-1] if said else "; ".join(_events(subject, name)[-1:]) or "it has not ended"
        mend = f"kubectl -n {subject.namespace} delete job {name}, when that is mended; then {subject.install}"
        yield Finding("provisioning", "missing", f"the Job {name}: {words}", mend)


def _last_words(pod: Mapping[str, Any]) -> Iterator[str]:
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        state = each.get("state") or {}
        for part in (state.get("terminated"), state.get("waiting")):
            if part:
                yield str(part.get("message") or part.get("reason"))


def _scaling(subject: Subject) -> Iterator[Finding]:
    name = f"api-{subject.api.name}"
    if subject.values["autoscaling"]["engine"] == "none":
        return
    found = subject.cluster.get(subject.path("keda.sh/v1alpha1", "scaledobjects", name))
    for each in ((found or {}).get("status") or {}).get("conditions") or ():
        if each["type"] == "Ready" and each["status"] == "False":
            mend = f"kubectl -n {subject.namespace} describe scaledobject {name}"
            yield Finding("scaling", "missing", str(each.get("message") or each.get("reason")), mend)
