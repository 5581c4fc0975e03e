"""Installations that cannot work: what the terminal says, and how soon. And what the API server takes."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

from chart.generated import LEAVES, Values, mended, values
from chart.helm_cli import ROOT, Helm
from cortex_async_tools.chart import helm
from e2e.api import Api
from e2e.cluster import Cluster, Failed

MakeApi = Callable[..., Api]
Note = Callable[..., None]
SOON_SECONDS = 15
GENERATED = 200
NOT_SERVED = {
    "HTTPRoute", "PodMonitor", "PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication",
    "VirtualService",
}  # fmt: skip
PROVISIONING = {
    "wrong bucket": ({"bucket": "no-such-bucket"}, "the bucket no-such-bucket does not exist"),
    "no rights": ({"endpointUrl": "http://denied:8000"}, "cortex-async iam-policy"),
    "no credentials": (
        {"extraEnv": [{"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}]},
        "set provision.serviceAccount.annotations to a role, or aws.credentialsSecret",
    ),
}


@pytest.mark.parametrize("fault", PROVISIONING)
def test_failed_provisioning_says_why_soon_and_leaves_nothing(
    make_api: MakeApi, cluster: Cluster, note: Note, fault: str
) -> None:
    changes, sentence = PROVISIONING[fault]
    name = fault.replace(" ", "-")
    api = make_api(name, aws=changes)
    begun = time.monotonic()
    with pytest.raises(Failed) as caught:
        api.install()
    seconds = time.monotonic() - begun
    assert sentence in str(caught.value)
    note(seconds_to_the_sentence=round(seconds, 1))
    assert seconds <= SOON_SECONDS
    kinds = "all,configmap,serviceaccount,secret"
    selector = f"apiName={name}"
    assert not cluster.kubectl(
        "get", kinds, "--selector", selector, "--output", "name", "--ignore-not-found"
    ).strip()
    api.values["aws"] = make_api(name).values["aws"]
    api.install()  # with the fault mended, the same command goes on
    assert api.ended(api.submit({"n": 1}))["result"]["n"] == 1
    api.uninstall()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": "no-such-image:1"}, "no-such-image:1"),
        ({"env": {"READY_FILE": "/never"}}, "Readiness probe failed"),
    ],
    ids=["image that does not exist", "container that never gets ready"],
)
def test_pod_that_never_gets_ready(
    make_api: MakeApi, cluster: Cluster, change: dict[str, Any], reason: str
) -> None:
    api = make_api("stuck")
    api.values["pod"]["containers"][0].update(change)
    with pytest.raises(Failed, match="api-stuck") as caught:
        api.install(timeout="25s")
    assert "not ready" in str(caught.value).lower() or "deadline" in str(caught.value).lower()
    notes = cluster.helm("get", "notes", api.name)
    command = next(line.split() for line in notes.splitlines() if " describe pods " in line)
    assert reason in cluster.kubectl(*command[1:])
    api.uninstall()


def dry_run(cluster: Cluster, objects: list[dict[str, Any]]) -> int:
    """Let the API server judge objects that it would otherwise keep; raises Failed."""
    served = [each for each in objects if each["kind"] not in NOT_SERVED]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": served})
    options = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]
    cluster.kubectl("apply", *options, "--filename", "-", text=document)
    return len(served)


@pytest.mark.parametrize("file", sorted(ROOT.glob("values/**/*.yaml")), ids=lambda file: file.stem)
def test_api_server_takes_every_example(lenient: Cluster, note: Note, file: Any) -> None:
    objects = Helm(helm.locate()).template(file, namespace=lenient.namespace)
    note(objects=dry_run(lenient, objects))


def test_api_server_takes_generated_values(lenient: Cluster, note: Note) -> None:
    """`lenient`, since generated values ask for what `restricted` refuses."""
    program = Helm(helm.locate())
    chance = random.Random(0)
    counts: list[int] = []
    while len(counts) < GENERATED:

        @hypothesis.seed(chance.getrandbits(64))
        @hypothesis.settings(max_examples=5, phases=[hypothesis.Phase.generate])
        @hypothesis.given(values(chance.sample(sorted(LEAVES), 16)))
        def judged(generated: Values) -> None:
            rendered = program.template(mended(generated), namespace=lenient.namespace)
            counts.append(dry_run(lenient, rendered))

        judged()
    note(values_files=len(counts), objects=sum(counts))
