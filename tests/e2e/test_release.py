"""What a user does first: install, wait, test, submit, look inside, chain, and take away."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from chart.helm_cli import ROOT, merged
from e2e.api import Api, Images
from e2e.cluster import CHART, Cluster, until

MakeApi = Callable[..., Api]
Note = Callable[..., None]
EXAMPLES = {
    "hello-world": ({"name": "world"}, "greeting", "hello, world"),
    "warm-model": ("Wo ist der Bahnhof?", "language", "german"),
}


def example(name: str, images: Images) -> dict[str, Any]:
    """The values file of an example, with the images of this run and an emulator of its own."""
    values = yaml.safe_load((ROOT / "values" / name / "values.yaml").read_text())
    image = {"hello-world": images.example, "warm-model": images.warm_model}[name]
    for container in values["pod"]["containers"]:
        container.update(image=image, compute={"cpu": "20m", "mem": "64Mi"})
    payload, _, _ = EXAMPLES[name]
    own = {
        "emulator": {"enabled": True, "image": images.emulator},
        "test": {"payload": payload if isinstance(payload, str) else json.dumps(payload)},
    }
    return merged(merged(values, images.values()), own)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_installed_ready_tested_and_taken_away(
    cluster: Cluster, images: Images, note: Note, name: str
) -> None:
    begun = time.monotonic()
    values = example(name, images)
    notes = cluster.helm("upgrade", "--install", name, str(CHART), "--wait", "--timeout", "3m", values=values)
    ready = time.monotonic() - begun
    printed = cluster.helm("test", name, "--logs")
    _, key, expected = EXAMPLES[name]
    answer = json.loads(next(line for line in printed.splitlines() if line.startswith('{"id"')))
    assert answer["status"] == "completed"
    assert answer["result"][key] == expected
    note(seconds_to_all_ready=round(ready, 1))

    cluster.helm("uninstall", name, "--wait")
    selector = f"apiName={name}"

    def left() -> set[str]:
        kinds = "all,configmap,secret,serviceaccount,networkpolicy,poddisruptionbudget"
        words = cluster.kubectl("get", kinds, "--selector", selector, "--output", "name").split()
        return {word for word in words if not word.startswith("replicaset")}

    until("all but what the notes name to go", lambda: left() <= {f"pod/api-{name}-test"})
    (command,) = re.findall(r"kubectl (-n \S+ delete pod .*)", notes)
    cluster.kubectl(*command.split())
    assert not left()


@pytest.fixture(scope="module")
def api(make_api: MakeApi) -> Iterator[Api]:
    made = make_api("inside")
    second = {**made.container(), "name": "second", "command": ["python", "-m", "http.server", "9000"]}
    second["readiness_probe"] = {"tcp_socket": {"port": 9000}}
    made.values["pod"]["containers"].append(second)
    made.install()
    yield made
    made.uninstall()


def test_containers_see_what_the_specification_promises_and_no_more(api: Api) -> None:
    (pod,) = api.cluster.pods(api.name)
    api.cluster.exec(pod, "sh", "-c", "echo shared > /mnt/file", container="web")
    assert api.cluster.exec(pod, "cat", "/mnt/file", container="second").strip() == "shared"
    for container in ("web", "second"):
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        environment = json.loads(api.cluster.python(pod, code, container))
        assert environment["CORTEX_PORT"] == "8080"
        assert environment["CORTEX_VERSION"] == yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        assert not [name for name in environment if name.startswith("AWS_")]
        folder = environment["CORTEX_CLI_CONFIG_DIR"]
        told = yaml.safe_load(api.cluster.exec(pod, "cat", f"{folder}/cli.yaml", container=container))
        assert told["default_environment"] == told["environments"][0]["name"] == "default"
        assert told["environments"][0]["operator_endpoint"] == "http://operator.default.svc.cluster.local:8888"
        seen = api.cluster.exec(pod, "sh", "-c", "ls /var/run/secrets 2>&1; id -u", container=container)
        assert "No such file" in seen
        assert seen.split()[-1] != "0"


def test_no_request_is_sent_before_all_probes_pass(make_api: MakeApi) -> None:
    api = make_api("probes")
    api.values["pod"]["containers"][0]["env"] = {"READY_FILE": "/mnt/ready"}
    words = ["upgrade", "--install", api.name, str(CHART)]
    api.cluster.helm(*words, values=api.values)
    deployment = f"deployment/api-{api.name}-gateway"
    api.cluster.kubectl("rollout", "status", deployment, "--timeout=90s")
    (pod,) = until("the pod to run", lambda: api.cluster.pods(api.name))
    request_id = api.submit({"n": 1})
    time.sleep(5)
    assert api.status(request_id)["status"] == "in_queue"
    api.cluster.exec(pod, "touch", "/mnt/ready", container="web")
    assert api.ended(request_id)["result"]["n"] == 1
    api.uninstall()


def test_two_apis_chain(api: Api, make_api: MakeApi) -> None:
    first = make_api("chaining")
    first.install()
    answer = first.ended(first.submit({"n": 1, "call": api.url}))
    assert answer["result"]["called"]["result"]["n"] == "chained"
    first.uninstall()


def test_missing_queue_is_unavailable_and_found_again_without_a_restart(
    api: Api, cluster: Cluster, note: Note
) -> None:
    client = (
        "import boto3; sqs = boto3.client('sqs', region_name='us-east-1', endpoint_url='http://emulator:4566', "
    )
    client += "aws_access_key_id='x', aws_secret_access_key='x'); "
    queue = f"sqs.get_queue_url(QueueName='cortex-{api.name}')['QueueUrl']"
    cluster.python("denied", f"{client}sqs.delete_queue(QueueUrl={queue})")
    post = "import urllib.request, urllib.error\n"
    post += f"try: urllib.request.urlopen('{api.url}', b'{{}}')\n"
    post += "except urllib.error.HTTPError as error: print(error.code, error.headers['Retry-After'])\n"
    assert re.fullmatch(r"503 [1-9]\d*\n", cluster.python("denied", post))
    before = cluster.pods(api.name) + cluster.pods(api.name, "gateway")
    api.install()
    begun = time.monotonic()

    def accepted() -> str | None:
        try:
            return api.submit({"n": 7})
        except Exception:  # refused still
            return None

    request_id = until("a submit to be accepted", accepted, 30)
    assert api.ended(request_id)["result"]["n"] == 7
    note(seconds_from_helms_end_to_a_result=round(time.monotonic() - begun, 1))
    assert cluster.pods(api.name) + cluster.pods(api.name, "gateway") == before


def test_installed_release_is_recorded_as_the_values_say(api: Api, cluster: Cluster) -> None:
    """`helm get values` is what the next upgrade starts from: it holds no key of anybody."""
    found = cluster.get("secret", f"api-{api.name}-client")
    told = yaml.safe_load(base64.b64decode(found["data"]["cli.yaml"]))
    assert set(told) == {"default_environment", "environments"}
