"""What the cluster has: version, namespace, Secrets, KEDA and other APIs, and room in the quotas."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cortex_async_tools.doctor.cluster import ClusterError
from cortex_async_tools.doctor.subject import Finding, Subject

OLDEST = (1, 29)
"""The oldest Kubernetes that the chart supports; its Chart.yaml says so too."""

_APIS = {
    "ScaledObject": ("KEDA", "install KEDA 2.17 or newer (keda.sh), or set autoscaling.engine to none"),
    "HTTPRoute": ("Gateway API", "install a Gateway API controller, or set networking.httpRoute.enabled to false"),
    "VirtualService": ("Istio", "install Istio, or set networking.istio.enabled to false"),
    "PodMonitor": ("Prometheus operator", "install it, or set monitoring.podMonitor.enabled to false"),
    "PrometheusRule": ("Prometheus operator", "install it, or set monitoring.rules.enabled to false"),
}
"""By kind of object: what serves it, and what to do without."""

_UNITS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_ENFORCED = "pod-security.kubernetes.io/enforce"


def reach(subject: Subject) -> tuple[bool, Finding]:
    """Return whether the cluster answers, and what is to be said of it."""
    try:
        about = subject.cluster.get("/version") or {}
    except ClusterError as error:
        mend = "kubectl config use-context <name>, or aws eks update-kubeconfig --name <cluster>"
        return False, Finding("cluster", "missing", str(error), mend)
    return True, _version(str(about.get("gitVersion", "")))


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the cluster; what may not be read is told as unknown."""
    for look in (_namespace, _pull_secrets, _mounted, _keda, _apis, _metrics, _networking, _quotas):
        try:
            yield from look(subject)
        except ClusterError as error:
            yield Finding(look.__name__.strip("_").replace("_", " "), "unknown", str(error))


def _version(text: str) -> Finding:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    number = (int(found[1]), int(found[2])) if found else None
    if number is not None and number < OLDEST:
        needed = ".".join(map(str, OLDEST))
        return Finding(
            "cluster", "missing", f"Kubernetes {text}; {needed} or newer is needed", "upgrade the cluster"
        )
    return Finding("cluster", "ok", f"Kubernetes {text}")


def _namespace(subject: Subject) -> Iterator[Finding]:
    name = subject.namespace
    found = subject.cluster.get(f"/api/v1/namespaces/{name}")
    if found is None:
        mend = f"kubectl create namespace {name}"
        yield Finding("namespace", "missing", f"there is no namespace {name}", mend)
        return
    level = (found["metadata"].get("labels") or {}).get(_ENFORCED, "privileged")
    wanted = subject.values["securityContext"]["level"]
    if level == "restricted" and wanted != "restricted":
        text = f"{name} enforces Pod Security restricted, and securityContext.level is {wanted}"
        mend = f"kubectl label namespace {name} {_ENFORCED}={wanted} --overwrite"
        yield Finding("namespace", "missing", text, f"{mend}, or take securityContext.level out")
    else:
        yield Finding("namespace", "ok", f"{name} is there")


def _pull_secrets(subject: Subject) -> Iterator[Finding]:
    names = {each["name"] for _, pod in subject.pods() for each in pod.get("imagePullSecrets") or ()}
    for name in sorted(names):
        if subject.cluster.get(subject.path("v1", "secrets", name)) is None:
            make = f"kubectl -n {subject.namespace} create secret docker-registry {name} --docker-server=…"
            yield Finding("image pull", "missing", f"there is no Secret {name}", make)
        else:
            yield Finding("image pull", "ok", f"the Secret {name} is there")
    if not (subject.values["image"].get("repository") or subject.values["emulator"]["enabled"]):
        text = "image.repository is empty in these files, which is fine only if --set gives it"
        mend = "make package-image IMAGE=<your registry>/cortex-async:<version>, push it, set image.repository"
        yield Finding("image of the glue", "unknown", text, mend)


def _mounted(subject: Subject) -> Iterator[Finding]:
    """Look for the Secrets and ConfigMaps without which a pod does not start, but those of the release itself."""
    own = {(each["kind"], each["metadata"]["name"]) for each in subject.objects}
    wanted = {named for _, pod in subject.pods() for named in _references(pod)} - own
    for kind, name in sorted(wanted):
        if subject.cluster.get(subject.path("v1", f"{kind.lower()}s", name)) is None:
            word = "secret generic" if kind == "Secret" else "configmap"
            mend = f"kubectl -n {subject.namespace} create {word} {name} --from-literal=<key>=…"
            yield Finding(f"{kind} {name}", "missing", "a pod needs it, and it is not there", mend)
        else:
            yield Finding(f"{kind} {name}", "ok", "it is there")


def _references(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what a pod reads, unless it may be absent."""
    found: list[tuple[str, Mapping[str, Any], str]] = []
    for container in pod["containers"]:
        for each in container.get("envFrom") or ():
            found.append(("Secret", each.get("secretRef") or {}, "name"))
        for each in container.get("env") or ():
            source = each.get("valueFrom") or {}
            found.append(("Secret", source.get("secretKeyRef") or {}, "name"))
            found.append(("ConfigMap", source.get("configMapKeyRef") or {}, "name"))
    for volume in pod.get("volumes") or ():
        found.append(("Secret", volume.get("secret") or {}, "secretName"))
        found.append(("ConfigMap", volume.get("configMap") or {}, "name"))
    yield from ((kind, each[key]) for kind, each, key in found if each and not each.get("optional"))


def _keda(subject: Subject) -> Iterator[Finding]:
    if subject.values["autoscaling"]["engine"] != "auto":
        return
    if subject.cluster.get("/apis/keda.sh/v1alpha1") is None:
        yield Finding(
            "KEDA", "missing", "it is not there, so that nothing scales the pods", _APIS["ScaledObject"][1]
        )
    else:
        yield Finding("KEDA", "ok", "it is there")


def _apis(subject: Subject) -> Iterator[Finding]:
    for kind, (what, mend) in _APIS.items():
        for each in subject.rendered(kind):
            if subject.cluster.get(f"/apis/{each['apiVersion']}") is None:
                yield Finding(what, "missing", f"the cluster does not know {each['apiVersion']} {kind}", mend)
            else:
                yield Finding(what, "ok", f"the cluster knows {kind}")


def _metrics(subject: Subject) -> Iterator[Finding]:
    if not any(subject.rendered("HorizontalPodAutoscaler")):
        return
    if subject.cluster.get("/apis/metrics.k8s.io/v1beta1") is None:
        text = "there is no metrics server, so that gateway.autoscaling measures nothing"
        mend = "aws eks create-addon --cluster-name <cluster> --addon-name metrics-server"
        yield Finding("metrics server", "missing", text, mend)
    else:
        yield Finding("metrics server", "ok", "it is there")


def _networking(subject: Subject) -> Iterator[Finding]:
    settings = subject.values["networking"]
    if settings["httpRoute"]["enabled"]:
        for parent in settings["httpRoute"]["parentRefs"]:
            place, name = parent.get("namespace") or subject.namespace, parent["name"]
            path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{place}/gateways/{name}"
            there = subject.cluster.get(path) is not None
            text = f"the Gateway {place}/{name} is {'' if there else 'not '}there"
            mend = "" if there else "make it, or name another in networking.httpRoute.parentRefs"
            yield Finding("Gateway", "ok" if there else "missing", text, mend)
    if settings["ingress"]["enabled"]:
        classes = subject.cluster.items("/apis/networking.k8s.io/v1/ingressclasses")
        names = {each["metadata"]["name"] for each in classes}
        wanted = settings["ingress"]["className"]
        if (wanted and wanted not in names) or not names:
            text = f"there is no IngressClass {wanted or ''}".strip()
            known = f"set networking.ingress.className to one of {', '.join(sorted(names))}, or " if names else ""
            yield Finding("Ingress", "missing", text, f"{known}install an Ingress controller")
        else:
            yield Finding("Ingress", "ok", f"the IngressClass {wanted or min(names)} is there")


def _quotas(subject: Subject) -> Iterator[Finding]:
    """Compare what one pod of each Deployment asks for with what the namespace's quotas leave."""
    needed: Counter[str] = Counter()
    without: set[str] = set()
    for owner, pod in subject.pods():
        if owner["kind"] == "Deployment":
            needed["pods"] += 1
            for each in pod["containers"]:
                for kind, amounts in (each.get("resources") or {}).items():
                    needed.update({f"{kind}.{name}": quantity(text) for name, text in amounts.items()})
                limits = (each.get("resources") or {}).get("limits") or {}
                without |= {f"limits.{name}" for name in ("cpu", "memory")} - {f"limits.{name}" for name in limits}
    ranges = subject.cluster.items(subject.path("v1", "limitranges"))
    for quota in subject.cluster.items(subject.path("v1", "resourcequotas")):
        yield from _quota(subject, quota, needed, without if not ranges else set())


def _quota(
    subject: Subject, quota: Mapping[str, Any], needed: Mapping[str, float], without: set[str]
) -> Iterator[Finding]:
    name = quota["metadata"]["name"]
    status = quota.get("status") or {}
    hard, used = status.get("hard") or quota["spec"].get("hard") or {}, status.get("used") or {}
    short = False
    for key, limit in hard.items():
        what = f"requests.{key}" if key in {"cpu", "memory"} else key
        left = quantity(limit) - quantity(used.get(key, "0"))
        if what in without:
            short = True
            mend = f"make a LimitRange in {subject.namespace} with a default limit, or take {key} out of the quota"
            text = f"{name} wants {key} of every container, and the chart sets none"
            yield Finding("quota", "missing", text, mend)
        elif needed.get(what, 0) > left and not _is_installed(subject):
            short = True
            text = f"{name} leaves {left:g} of {key}, and one pod of each kind asks for {needed[what]:g}"
            mend = f"kubectl -n {subject.namespace} edit resourcequota {name}"
            yield Finding("quota", "missing", text, mend)
    if not short:
        yield Finding("quota", "ok", f"{name} leaves enough for one pod of each kind")


def _is_installed(subject: Subject) -> bool:
    """Whether the quota's use has the release's pods in it already."""
    return any(
        subject.cluster.get(subject.path("apps/v1", "deployments", each["metadata"]["name"])) is not None
        for each in subject.rendered("Deployment")
    )


def quantity(text: object) -> float:
    """Return a quantity of Kubernetes as a number: cores, bytes or pieces."""
    found = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?)([a-zA-Z]*)", str(text))
    return float(found[1]) * _UNITS.get(found[2], 1.0) if found else math.inf
