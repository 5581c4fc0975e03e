"""What an operator and a cluster do to an API while clients submit: nothing is lost, and nothing answered wrong.

Requests are repeated only when a pod, or a container, was killed without notice.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.api import Api
from e2e.cluster import Cluster, Failed, frozen, until

MakeApi = Callable[..., Api]
Note = Callable[..., None]
Figures = dict[str, Any]
REPLICAS = {"autoscaling": {"init_replicas": 2}, "gateway": {"replicas": 2}}
OUTAGE_SECONDS = 60
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def api(make_api: MakeApi) -> Iterator[Api]:
    made = make_api("load", **REPLICAS)
    made.values["pod"]["containers"][0]["env"] = {"WITNESS": "http://witness:8000"}
    made.install()
    yield made
    made.uninstall()


@pytest.fixture(autouse=True)
def as_installed(api: Api) -> None:
    """Each test begins with the release as it was installed."""
    api.install()


def check(figures: Figures, note: Note, *, repeats: bool = False, refusals: bool = False) -> None:
    note(**figures)
    assert figures["requests"] > 0
    assert (figures["lost"], figures["wrong"], figures["failed"]) == (0, 0, 0), figures
    assert repeats or not figures["repeated"], figures
    assert refusals or not figures["refused"], figures


def pods_change(api: Api, text: str) -> dict[str, Any]:
    return {"extraEnv": [{"name": "CHANGED", "value": text}]}


def test_rolling_upgrade_of_the_pods(api: Api, note: Note) -> None:
    with api.load(sleep=0.5) as figures:
        before = api.cluster.pods(api.name)
        api.install(pods_change(api, "1"))
        until("the old pods to go", lambda: not set(before) & set(api.cluster.pods(api.name)))
    check(figures, note)


def test_rolling_upgrade_of_the_gateways(api: Api, note: Note) -> None:
    with api.load(sleep=0.1) as figures:
        before = api.cluster.pods(api.name, "gateway")
        api.install({"gateway": {"podAnnotations": {"changed": "1"}}})
        until("the old gateways to go", lambda: not set(before) & set(api.cluster.pods(api.name, "gateway")))
        time.sleep(10)
    check(figures, note)


def test_failed_upgrade_and_rollback(api: Api, note: Note) -> None:
    with api.load(sleep=0.2) as figures:
        container = {**api.values["pod"]["containers"][0], "image": "no-such-image:1"}
        with pytest.raises(Failed, match="api-load"):
            api.install({"pod": {"containers": [container]}}, timeout="20s")
        api.cluster.helm("rollback", api.name, "--wait", "--timeout", "120s")
    check(figures, note)


def test_pod_is_deleted(api: Api, note: Note) -> None:
    with api.load(sleep=0.5) as figures:
        api.cluster.kubectl("delete", "pod", api.cluster.pods(api.name)[0])
        api.cluster.kubectl("rollout", "status", f"deployment/api-{api.name}", "--timeout=90s")
    check(figures, note)


def test_pod_is_killed(api: Api, note: Note) -> None:
    with api.load(sleep=0.5) as figures:
        api.cluster.kubectl("delete", "pod", api.cluster.pods(api.name)[0], "--grace-period=0", "--force")
        api.cluster.kubectl("rollout", "status", f"deployment/api-{api.name}", "--timeout=90s")
    check(figures, note, repeats=True)


def test_gateway_is_killed(api: Api, note: Note) -> None:
    """What it had accepted is kept; connections that were open, or still went there, are refused."""
    with api.load(rate=20) as figures:
        api.cluster.kubectl(
            "delete", "pod", api.cluster.pods(api.name, "gateway")[0], "--grace-period=0", "--force"
        )
        api.cluster.kubectl("rollout", "status", f"deployment/api-{api.name}-gateway", "--timeout=90s")
    check(figures, note, refusals=True)
    assert figures["refused"] < figures["requests"] / 10


def test_gateways_process_is_killed(api: Api, lenient: Cluster, note: Note) -> None:
    """The pod stays, and the kubelet starts the container again; meanwhile its connections are refused."""
    (name, *_) = api.cluster.pods(api.name, "gateway")

    def container() -> dict[str, Any]:
        (found,) = api.cluster.get(f"pod/{name}")["status"]["containerStatuses"]
        return dict(found)

    before = container()
    with api.load(rate=20) as figures:
        kill(lenient, api.images.glue, before["containerID"].rpartition("/")[2])
        until("another container", lambda: container()["restartCount"] > before["restartCount"])
        until("it to be ready", lambda: container()["ready"])
    check(figures, note, refusals=True)
    assert figures["refused"] < figures["requests"] / 10
    assert name in api.cluster.pods(api.name, "gateway")


def kill(cluster: Cluster, image: str, container: str) -> None:
    """Kill the first process of a container of the node; no signal of its own pod could do so."""
    code = (HERE / "programs" / "kill.py").read_text()
    security = {"runAsUser": 0, "capabilities": {"drop": ["ALL"], "add": ["KILL", "SYS_PTRACE"]}}
    about = {"name": "killer", "image": image, "command": ["python", "-c", code, container]}
    spec = {"hostPID": True, "restartPolicy": "Never", "containers": [{**about, "securityContext": security}]}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "killer"}, "spec": spec})
    cluster.kubectl("wait", "pod/killer", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    cluster.kubectl("delete", "pod/killer", "--grace-period=0", "--force")


def test_container_is_out_of_memory(api: Api, cluster: Cluster, note: Note) -> None:
    limit = {"type": "Container", "default": {"memory": "192Mi"}}
    cluster.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "memory"}, "spec": {"limits": [limit]}}
    )
    try:
        api.install(pods_change(api, "limited"))  # pods get the limit when they are made
        with api.load(sleep=0.5) as figures:
            answer = api.ended(api.submit({"n": 1, "oom": True}))
            assert answer["result"]["n"] == 1
        restarts = [
            status["lastState"].get("terminated", {}).get("reason")
            for pod in cluster.get("pods", "--selector", "app.kubernetes.io/component=api,apiName=load")
            for status in pod["status"]["containerStatuses"]
        ]
        assert "OOMKilled" in restarts
    finally:
        cluster.kubectl("delete", "limitrange", "memory")
    check(figures, note, repeats=True)


def test_scaled_in(api: Api, note: Note) -> None:
    deployment = f"deployment/api-{api.name}"
    with api.load(sleep=0.5) as figures:
        api.cluster.kubectl("scale", deployment, "--replicas=3")
        api.cluster.kubectl("rollout", "status", deployment, "--timeout=90s")
        api.cluster.kubectl("scale", deployment, "--replicas=1")
        until("one pod to be left", lambda: len(api.cluster.pods(api.name)) == 1)
        time.sleep(10)
        api.cluster.kubectl("scale", deployment, "--replicas=2")
    check(figures, note)


def test_queue_and_bucket_do_not_answer_for_a_minute(api: Api, cluster: Cluster, note: Note) -> None:
    """Submits are refused meanwhile, as nothing could keep them; all that was accepted is answered.

    The queue gives requests in hand to another pod, since nobody could tell it that they are worked on.
    """
    with api.load(rate=5, sleep=0.2) as figures:
        with frozen(cluster):
            time.sleep(OUTAGE_SECONDS)
        api.ended(until("a submit to be accepted", lambda: accepted(api), 60))
    assert figures["refused"] > 0
    check(figures, note, repeats=True, refusals=True)


def accepted(api: Api) -> str | None:
    with contextlib.suppress(Failed):
        return api.submit({"n": 1})
    return None


def test_nodes_kubelet_stops_and_starts(api: Api, note: Note, pytestconfig: pytest.Config) -> None:
    stop, start = (pytestconfig.getoption(f"{word}_kubelet") for word in ("stop", "start"))
    if not stop or not start:
        pytest.skip("needs --stop-kubelet and --start-kubelet")
    with api.load(sleep=0.5) as figures:
        subprocess.run(stop, shell=True, check=True)
        try:
            time.sleep(OUTAGE_SECONDS)
        finally:
            subprocess.run(start, shell=True, check=True)
        until("the node to be ready", lambda: ready_nodes(api.cluster))
    # after 40 s the node counts as lost, and Services send nothing to its pods: with one node, to no gateway
    check(figures, note, refusals=True)


def ready_nodes(cluster: Cluster) -> bool:
    return all(
        condition["status"] == "True"
        for node in cluster.get("nodes")
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    )
