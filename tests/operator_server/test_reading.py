"""What the operator tells about APIs, as `cortex` prints it and as clients read it."""

import json
import re
from datetime import UTC, datetime, timedelta

from operator_server.calls import call, get
from operator_server.conftest import MakeOperator
from support.kubernetes_api import Serving
from support.operator_process import RunningOperator, add_api, add_revision


def test_get_prints_the_table_of_the_original(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello-world", replicas=2)["metadata"]["creationTimestamp"] = _ago(hours=1, seconds=20)
    done = operator.cortex("get")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "env       async api     live   up-to-date   last update",
        "default   hello-world   2/2    2            1h0m",
    ]


def test_get_of_one_api_tells_its_links_and_history(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello-world", values={"pod": {"max_concurrency": 3}})
    add_revision(cluster.server, "hello-world", 2, {"pod": {"max_concurrency": 4}})
    lines = operator.cortex("get", "hello-world", "--env", "default").stdout.splitlines()
    assert f"metrics dashboard: {operator.url}/dashboard/hello-world" in lines
    assert "endpoint: http://api-hello-world-gateway.default.svc.cluster.local/hello-world" in lines
    history = lines[lines.index(next(each for each in lines if each.startswith("api id"))) :]
    assert [each.split()[0] for each in history[1:]] == ["hello-world-2", "hello-world-1"]
    assert "max_concurrency: 4" in operator.cortex("get", "hello-world", "-v").stdout


def test_describe_counts_replicas_and_only_failures_that_there_are(
    cluster: Serving, operator: RunningOperator
) -> None:
    add_api(cluster.server, "hello-world", replicas=2)
    broken = next(each for key, each in cluster.server.objects.items() if key[1] == "pods")
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    broken["status"] = {"phase": "Pending", "conditions": [], "containerStatuses": [waiting]}
    text = operator.cortex("describe", "hello-world").stdout
    counts = text[text.index("replica status") :].splitlines()
    assert counts == [
        "replica status                     replica count",
        "Creating                           0",
        "ErrImagePull                       1",
        "NotReady                           0",
        "Pending                            0",
        "Ready                              1",
        "ReadyOutOfDate                     0",
        "Requested                          2",
        "Terminating                        0",
    ]


def test_an_empty_cluster_has_no_apis(operator: RunningOperator) -> None:
    assert operator.cortex("get").stdout == "no apis are deployed\n"
    assert json.loads(operator.cortex("get", "-o", "json").stdout) == []


def test_an_api_has_the_fields_that_clients_read(cluster: Serving, operator: RunningOperator) -> None:
    given = {"name": "hello", "pod": {"max_concurrency": 2}, "image": {"tag": "x"}}
    add_api(cluster.server, "hello", values=given)
    (listed,) = get(operator, "/get?clientID=someone")
    assert listed["metadata"].keys() == {"name", "kind", "id", "deployment_id", "last_updated"}
    assert listed["metadata"]["kind"] == "AsyncAPI"
    assert {"ready": 1, "requested": 1, "up_to_date": 1}.items() <= listed["status"].items()
    assert "spec" not in listed
    (one,) = get(operator, "/get/hello")
    assert one["spec"]["submitted_api_spec"] == {"name": "hello", "pod": {"max_concurrency": 2}}
    assert one["spec"]["pod"] == {"port": 8080, "max_concurrency": 2}
    assert {"id", "spec_id", "pod_id", "deployment_id", "key", "initial_deployment_time", "last_updated"} <= one[
        "spec"
    ].keys()
    assert one["api_versions"] == [{"api_id": "hello-1", "last_updated": 1_700_000_001}]
    assert get(operator, "/get/hello/hello-1") == [one]
    assert call(operator, "GET", "/get/hello/hello-7")[0] == 400
    (described,) = get(operator, "/describe/hello")
    assert described["status"]["replica_counts"]["ready"] == 1


def test_without_the_right_to_read_secrets_the_history_is_that_of_the_rollouts(
    cluster: Serving, make_operator: MakeOperator
) -> None:
    add_api(cluster.server, "hello")
    cluster.server.forbidden = {"secrets"}
    for releases in (True, False):
        (one,) = get(make_operator(releases=releases), "/get/hello")
        assert [each["api_id"] for each in one["api_versions"]] == ["hello-1"]
        assert one["spec"]["pod"]["containers"] == [{"name": "api", "image": "hello:1"}]
        assert one["spec"]["pod"]["max_concurrency"] == 4


def test_an_endpoint_is_where_callers_reach_the_api(cluster: Serving, make_operator: MakeOperator) -> None:
    add_api(cluster.server, "hello", endpoint="/v1/hello")
    (one,) = get(make_operator(endpointUrl="https://apis.internal/"), "/get")
    assert one["endpoint"] == "https://apis.internal/v1/hello"


def test_an_api_without_a_gateway_of_its_own_is_reached_by_the_shared_one(
    cluster: Serving, make_operator: MakeOperator
) -> None:
    for name in ("own", "shared"):
        add_api(cluster.server, name)
    cluster.server.remove("services", "api-shared-gateway")
    found = {
        each["metadata"]["name"]: each["endpoint"]
        for each in get(make_operator(gatewayUrl="http://front"), "/get")
    }
    assert found == {
        "own": "http://api-own-gateway.default.svc.cluster.local/own",
        "shared": "http://front/shared",
    }
    assert [each["endpoint"] for each in get(make_operator(), "/get") if each["metadata"]["name"] == "shared"] == [
        ""
    ]


def test_replicas_of_an_older_template_do_not_count_as_up_to_date(
    cluster: Serving, operator: RunningOperator
) -> None:
    deployment = add_api(cluster.server, "hello")
    old_and_new = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1}
    deployment["status"] = {**old_and_new, "observedGeneration": 1}
    (one,) = get(operator, "/get")
    assert (one["status"]["requested"], one["status"]["ready"], one["status"]["up_to_date"]) == (1, 1, 0)
    assert one["status"]["status_code"] == "status_updating"
    deployment["status"] = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "observedGeneration": 0}
    assert get(operator, "/get")[0]["status"]["up_to_date"] == 0


def test_more_apis_than_fit_on_a_page_are_all_listed(cluster: Serving, operator: RunningOperator) -> None:
    for number in range(501):
        add_api(cluster.server, f"api-{number:03}", replicas=0)
    assert len(get(operator, "/get")) == 501


def test_gateways_are_no_apis_and_pods_of_other_apis_are_not_counted(
    cluster: Serving, operator: RunningOperator
) -> None:
    add_api(cluster.server, "hello")
    add_api(cluster.server, "hello-2", replicas=3)
    gateway = add_api(cluster.server, "gateway")
    gateway["metadata"]["labels"]["app.kubernetes.io/component"] = "gateway"
    assert [each["metadata"]["name"] for each in get(operator, "/get")] == ["hello", "hello-2"]
    assert get(operator, "/describe/hello")[0]["status"]["replica_counts"]["ready"] == 1


def test_info_tells_the_version_and_the_replicas_that_wait(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello", replicas=2)
    pods = [each for key, each in cluster.server.objects.items() if key[1] == "pods"]
    pods[0]["status"] = {"phase": "Pending"}
    status, info = call(operator, "GET", "/info", {"CortexAPIVersion": "7"})
    assert (status, info["num_pending_replicas"]) == (200, 1)
    assert info["cluster_config"]["cluster_name"] == "test"
    assert re.search(r"cluster version: \d+\.\d+", operator.cortex("version").stdout)


def test_logs_are_those_of_one_replica(cluster: Serving, make_operator: MakeOperator) -> None:
    add_api(cluster.server, "hello")
    (pod,) = [key[3] for key in cluster.server.objects if key[1] == "pods"]
    cluster.server.logs[pod] = ["loaded\n", "räady\n"]
    operator = make_operator()
    for options in ([], ["--random-pod"], ["--follow"]):
        done = operator.cortex("logs", "hello", *options)
        assert (done.stdout, done.returncode) == ("loaded\nräady\n", 0)
    viewed = make_operator(logUrl="https://logs.internal/?ns={namespace}&api={name}")
    assert viewed.cortex("logs", "hello").stdout == "https://logs.internal/?ns=default&api=hello\n"


def _ago(**duration: int) -> str:
    return (datetime.now(UTC) - timedelta(**duration)).isoformat()
