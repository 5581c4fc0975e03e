"""KEDA scales an API from zero and back, and no upgrade sets another number of replicas."""

import concurrent.futures
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from chart.helm_cli import Helm, minimal
from cortex_async_tools.chart import helm
from e2e.api import KEYS, Api
from e2e.cluster import Cluster, Failed, until
from simulation.loads import RECORDED, Recording
from simulation.scalers import KedaAndHpa, serve
from simulation.settings import Settings, render

MakeApi = Callable[..., Api]
Note = Callable[..., None]
WAKE_SECONDS = 15
QUICK: dict[str, Any] = {
    "engine": "keda",
    "min_replicas": 0,
    "max_replicas": 4,
    "window": "10s",
    "upscale_stabilization_period": "0s",
    "downscale_stabilization_period": "20s",
    "max_upscale_factor": 2,
    "max_downscale_factor": 0.5,
}


@pytest.fixture(autouse=True)
def keda(cluster: Cluster) -> None:
    try:
        cluster.kubectl("get", "crd", "scaledobjects.keda.sh")
    except Failed:
        pytest.skip("the cluster has no KEDA")


def replicas(api: Api) -> int:
    return int(api.cluster.get(f"deployment/api-{api.name}")["spec"]["replicas"])


def at(api: Api, number: int) -> None:
    until(f"{number} replicas", lambda: replicas(api) == number, timeout=180)


@pytest.fixture
def scaled(make_api: MakeApi) -> Iterator[Api]:
    """An API that KEDA scales, at zero. KEDA comes second, so that its first call finds the gateway's Service."""
    api = make_api("scaled", pod={"max_concurrency": 2}, gateway={"replicas": 2})
    api.install({"autoscaling": {"engine": "none"}})
    api.values["autoscaling"] = QUICK
    api.install()
    at(api, 0)
    yield api
    api.uninstall()


def test_from_zero_under_load_and_back(scaled: Api, note: Note) -> None:
    most = 0
    scaled.values["pod"]["containers"][0]["env"] = {"WITNESS": "http://witness:8000"}
    scaled.install()
    with scaled.load(rate=6, sleep=1) as figures:
        end = time.monotonic() + 90
        while time.monotonic() < end and most < QUICK["max_replicas"]:
            most = max(most, replicas(scaled))
            time.sleep(1)
    at(scaled, 0)
    note(**figures, most_replicas=most)
    assert (figures["lost"], figures["wrong"], figures["failed"]) == (0, 0, 0), figures
    assert (figures["repeated"], figures["refused"]) == (0, 0), figures
    assert most >= 3


def test_a_submit_wakes_an_api_at_zero(scaled: Api, note: Note) -> None:
    waits = []
    for _ in range(3):
        at(scaled, 0)
        began = time.monotonic()
        request_id = scaled.submit({"sleep": 0})
        until("a requested replica", lambda: replicas(scaled) > 0)
        waits.append(round(time.monotonic() - began, 1))
        assert scaled.ended(request_id)["status"] == "completed"
    note(seconds_to_a_requested_replica=waits)
    assert max(waits) <= WAKE_SECONDS


@pytest.mark.parametrize("trigger", ["metrics-api", "sqs"])
@pytest.mark.parametrize("secret", [None, "keys"])
@pytest.mark.parametrize("more", [{}, {"min_replicas": 0, "max_upscale_factor": 1.001, "window": "90s"}])
def test_keda_takes_what_the_chart_renders(
    cluster: Cluster, trigger: str, secret: str | None, more: dict[str, Any]
) -> None:
    """By a server-side dry run, in which the API server knows KEDA's schemas and asks its webhook."""
    values = minimal(autoscaling={"engine": "keda", "trigger": trigger, **more}, aws={"credentialsSecret": secret})
    objects = Helm(cluster.helm_program).template(values, release="dry", namespace=cluster.namespace)
    asked = [each for each in objects if each["apiVersion"].startswith("keda.sh/")]
    assert [each["kind"] for each in asked].count("TriggerAuthentication") == (trigger == "sqs")
    for each in asked:
        cluster.kubectl(
            "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", text=json.dumps(each)
        )


def test_keda_reads_sqs_itself(make_api: MakeApi, note: Note) -> None:
    api = make_api("sqs", pod={"max_concurrency": 2}, aws={"credentialsSecret": "keys", "extraEnv": []})
    api.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys"},
            "stringData": {each["name"]: each["value"] for each in KEYS},
        }
    )
    api.install({"autoscaling": {"engine": "none"}})
    api.values["autoscaling"] = {**QUICK, "trigger": "sqs"}
    api.install()
    at(api, 0)
    began = time.monotonic()
    ids = [api.submit({"sleep": 5}) for _ in range(8)]
    until("a requested replica", lambda: replicas(api) > 0)
    woken = round(time.monotonic() - began, 1)
    until("more replicas", lambda: replicas(api) > 1, 180)
    assert {api.ended(each)["status"] for each in ids} == {"completed"}
    at(api, 0)
    note(seconds_to_a_requested_replica=woken)
    api.uninstall()


@pytest.mark.parametrize("version", ["4.3.1", "3.19.0"])
def test_an_upgrade_leaves_the_number_that_kubectl_set(make_api: MakeApi, version: str) -> None:
    api = make_api(f"kept{version[0]}", autoscaling={"engine": "none", "init_replicas": 2})
    api.cluster.helm_program = helm.locate(version)
    try:
        api.install()
        assert replicas(api) == 2
        api.install({"podAnnotations": {"changed": "1"}})
        assert replicas(api) == 2
        api.cluster.kubectl("scale", f"deployment/api-{api.name}", "--replicas", "1")
        api.install({"podAnnotations": {"changed": "2"}})
        assert replicas(api) == 1
        left: list[Any] = api.cluster.get("job,role,rolebinding", "--selector", f"apiName={api.name}")
        assert not [each for each in left if each["metadata"]["name"].endswith("-initial")]
        api.uninstall()
    finally:
        api.cluster.helm_program = helm.locate()


@pytest.mark.parametrize("version", ["4.3.1", "3.19.0"])
def test_an_upgrade_leaves_the_number_that_keda_set(scaled: Api, version: str) -> None:
    scaled.cluster.helm_program = helm.locate(version)
    try:
        scaled.install({"podAnnotations": {"changed": "1"}})
        assert replicas(scaled) == 0
    finally:
        scaled.cluster.helm_program = helm.locate()


def steps(replicas: Sequence[int]) -> list[int]:
    return [number for number, _ in itertools.groupby(replicas)]


def watched(api: Api, running: threading.Event) -> list[tuple[float, int]]:
    """Look at the number of replicas every second while it runs: when, and how many."""
    seen = []
    while running.is_set():
        seen.append((time.time(), replicas(api)))
        time.sleep(1)
    return seen


def test_replicas_follow_recorded_requests_as_simulated(make_api: MakeApi, note: Note) -> None:
    """Real KEDA and the real HPA take the steps up that the simulation takes."""
    arrivals = [round(number) for number in RECORDED.arrivals[52:72]]
    recording = Recording(arrivals, service_seconds=2, concurrency=2)
    settings = Settings(target_in_flight=2, max_replicas=12, window=10, upscale_stabilization_period=0)
    api = make_api("recorded", pod={"max_concurrency": recording.concurrency})
    api.install()
    api.values["autoscaling"] = {"engine": "keda", **settings.values()}
    api.install()
    at(api, 1)
    running = threading.Event()
    running.set()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        seen = pool.submit(watched, api, running)
        payload = {"sleep": recording.service_seconds}
        words = ["python", "/e2e/arrivals.py", api.url, json.dumps(arrivals), json.dumps(payload)]
        try:
            began, ended = map(json.loads, api.cluster.exec("denied", *words).splitlines())
        finally:
            running.clear()
    assert ended == {"completed": sum(arrivals)}
    found = [number for when, number in seen.result() if when >= began["began"]]
    simulated, _ = serve(KedaAndHpa(render(Helm(api.cluster.helm_program), settings), settings.window), recording)
    highest = simulated.index(max(simulated))
    assert steps(found[: found.index(max(found)) + 1]) == steps(simulated[: highest + 1])
    note(requests=sum(arrivals), **ended, steps=steps(found), simulated=steps(simulated))
    note(seconds_to_most_replicas=found.index(max(found)), simulated_seconds=highest)
    api.uninstall()
