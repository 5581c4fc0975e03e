"""Deploying, restarting and deleting APIs, by the real helm."""

import json
from pathlib import Path

import yaml

from operator_server.calls import call, get
from operator_server.conftest import MakeOperator
from support.kubernetes_api import Serving
from support.operator_process import RunningOperator, add_api

ENTRY = {"name": "hello", "kind": "AsyncAPI", "pod": {"containers": [{"name": "api", "image": "hello:1"}]}}


def _file(folder: Path, *entries: object) -> str:
    file = folder / "cortex.yaml"
    file.write_text(yaml.safe_dump(list(entries)))
    return str(file)


def test_deploy_creates_then_leaves_alone_then_updates(
    cluster: Serving, operator: RunningOperator, tmp_path: Path
) -> None:
    file = _file(tmp_path, ENTRY)
    assert operator.cortex("deploy", file).stdout == "creating hello (AsyncAPI)\n"
    (result,) = json.loads(operator.cortex("deploy", file, "--env", "default", "-o", "json", "-y").stdout)
    assert (result["message"], result["error"]) == ("hello (AsyncAPI) is up to date", "")
    assert result["api"]["metadata"]["name"] == "hello"
    changed = {**ENTRY, "pod": {"containers": [{"name": "api", "image": "hello:2", "compute": {"mem": None}}]}}
    assert operator.cortex("deploy", _file(tmp_path, changed)).stdout == "updating hello (AsyncAPI)\n"
    assert operator.cortex("deploy", _file(tmp_path, changed)).stdout == "hello (AsyncAPI) is up to date\n"
    (one,) = get(operator, "/get/hello")
    assert [each["api_id"] for each in one["api_versions"]] == ["hello-2", "hello-1"]
    deployment = cluster.server.find("deployments", "api-hello")
    assert deployment is not None
    assert "hello:2" in {each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]}


def test_delete_leaves_nothing_of_the_release(cluster: Serving, operator: RunningOperator, tmp_path: Path) -> None:
    operator.cortex("deploy", _file(tmp_path, ENTRY))
    assert operator.cortex("delete", "hello", "--force").stdout == "deleting hello\n"
    assert not cluster.server.objects
    assert operator.cortex("delete", "hello", "--force").returncode == 1


def test_the_platforms_values_stand_under_the_entry(
    cluster: Serving, operator: RunningOperator, tmp_path: Path
) -> None:
    operator.cortex("deploy", _file(tmp_path, ENTRY))
    told = cluster.server.find("configmaps", "api-hello")
    assert told is not None
    assert json.loads(told["data"]["api.json"])["storage"]["bucket"] == "results"
    for entry in (
        {**ENTRY, "aws": {"bucket": "mine"}},
        {**ENTRY, "serviceAccount": {"name": "admin"}},
        {**ENTRY, "networking": {"ingress": {"enabled": True}}},
    ):
        done = operator.cortex("deploy", _file(tmp_path, entry))
        assert done.returncode == 1
        assert "platform's to set" in done.stderr


def test_one_entry_that_is_refused_does_not_keep_the_others_out(
    cluster: Serving, operator: RunningOperator, tmp_path: Path
) -> None:
    container = {"name": "api", "image": "x", "compute": {"gpus": 1}}
    wrong = {**ENTRY, "name": "wrong", "pod": {"containers": [container]}}
    done = operator.cortex("deploy", _file(tmp_path, wrong, {**ENTRY, "kind": "BatchAPI", "name": "jobs"}, ENTRY))
    assert done.returncode == 1
    assert done.stdout == "creating hello (AsyncAPI)\n"
    assert "gpus" in done.stderr
    assert "BatchAPI" in done.stderr
    assert cluster.server.find("deployments", "api-wrong") is None


def test_what_is_no_list_of_apis_is_refused_whole(operator: RunningOperator, tmp_path: Path) -> None:
    for text in ("name: hello", "[", "[]", "- {name: a, kind: AsyncAPI}\n- {name: a, kind: AsyncAPI}"):
        (tmp_path / "bad.yaml").write_text(text)
        done = operator.cortex("deploy", str(tmp_path / "bad.yaml"))
        assert done.returncode == 1
        assert done.stderr.startswith("error: the configuration ")
    status, document = call(operator, "POST", "/deploy", body=b"{}")
    assert (status, document["kind"]) == (400, "endpoints.form_file_must_be_provided")


def test_an_update_waits_for_the_one_before_unless_forced(
    cluster: Serving, operator: RunningOperator, tmp_path: Path
) -> None:
    operator.cortex("deploy", _file(tmp_path, ENTRY))
    cluster.server.hold_rollouts = True
    changed = {**ENTRY, "pod": {"containers": [{"name": "api", "image": "hello:2"}]}}
    assert operator.cortex("deploy", _file(tmp_path, changed)).stdout == "updating hello (AsyncAPI)\n"
    assert operator.cortex("deploy", _file(tmp_path, changed)).stdout == "hello (AsyncAPI) is already updating\n"
    other = {**ENTRY, "pod": {"containers": [{"name": "api", "image": "hello:3"}]}}
    refused = operator.cortex("deploy", _file(tmp_path, other))
    assert (refused.returncode, "override with --force" in refused.stderr) == (1, True)
    assert operator.cortex("refresh", "hello").returncode == 1
    assert operator.cortex("refresh", "hello", "--force").stdout == "updating hello (AsyncAPI)\n"
    assert operator.cortex("deploy", _file(tmp_path, other), "--force").stdout == "updating hello (AsyncAPI)\n"


def test_refresh_replaces_the_pods_and_nothing_else(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello")
    before = {key[3] for key in cluster.server.objects if key[1] == "pods"}
    assert json.loads(operator.cortex("refresh", "hello", "-o", "json").stdout) == {
        "message": "updating hello (AsyncAPI)"
    }
    after = {key[3] for key in cluster.server.objects if key[1] == "pods"}
    assert len(after) == 1
    assert not before & after


def test_deploy_and_delete_are_off_unless_the_values_say_otherwise(
    cluster: Serving, make_operator: MakeOperator, tmp_path: Path
) -> None:
    operator = make_operator(deploy={"enabled": False})
    add_api(cluster.server, "hello")
    for words in (["deploy", _file(tmp_path, ENTRY)], ["delete", "hello", "--force"]):
        done = operator.cortex(*words)
        assert done.returncode == 1
        assert "deploy.enabled" in done.stderr


def test_apis_of_other_namespaces_are_listed_and_not_changed(
    cluster: Serving, operator: RunningOperator, tmp_path: Path
) -> None:
    add_api(cluster.server, "hello", namespace="elsewhere")
    assert "hello" in operator.cortex("get").stdout
    for words in (["deploy", _file(tmp_path, ENTRY), "--force"], ["delete", "hello", "--force"]):
        done = operator.cortex(*words)
        assert done.returncode == 1
        assert "namespace elsewhere" in done.stderr
