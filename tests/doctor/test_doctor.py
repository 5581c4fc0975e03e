"""What the doctor finds in an account and a cluster, in order, and what it says to do."""

import re
import shlex
from typing import Any

import pytest
import yaml

from chart.conftest import helm4 as helm4  # noqa: PLC0414 (a fixture)
from chart.helm_cli import CHART, Helm
from cortex_async_tools.doctor.platform import OLDEST
from doctor.conftest import Patient


def test_it_supports_what_the_chart_does() -> None:
    needed = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert needed == f">={'.'.join(map(str, OLDEST))}.0-0"


def test_of_an_empty_account_it_names_all_in_order_and_when_that_is_made_nothing(patient: Patient) -> None:
    said = patient.examined()
    assert said.code == 1
    missing = [line.split()[1] for line in said.out.splitlines() if line.startswith("missing")]
    assert missing == ["bucket:", "role", "role", "role"]
    _, text = said.finding("bucket")
    assert text.endswith(
        "> aws s3api create-bucket --bucket results --region us-west-2 "
        "--create-bucket-configuration LocationConstraint=us-west-2"
    )
    assert said.finding("queue cortex-reader")[0] == "later"
    assert "aws iam create-role --role-name gateway" in said.finding("role of gateway")[1]
    assert said.finding("api-reader")[0] == "later"
    patient.cure()
    said = patient.examined()
    assert said.code == 0, said.out
    assert said.finding("bucket")[0] == said.finding("role of dispatcher")[0] == "ok"


def test_a_role_that_trusts_somebody_else_or_has_no_policy_is_told(patient: Patient) -> None:
    patient.make_role("dispatcher", "system:serviceaccount:default:api-writer")
    patient.make_role("gateway", "system:serviceaccount:default:api-reader-*", policy=False)
    said = patient.examined()
    state, text = said.finding("role of dispatcher")
    assert state == "missing"
    assert "does not trust the service account default/api-reader" in text
    assert "aws iam update-assume-role-policy --role-name dispatcher" in text
    assert "--trust irsa --namespace default --account" in text
    state, text = said.finding("role of gateway")
    assert (state, "has no policy" in text) == ("missing", True)
    assert "aws iam put-role-policy --role-name gateway" in text


def test_the_command_for_a_policy_is_one_that_works(patient: Patient) -> None:
    patient.make_role("gateway", "system:serviceaccount:default:api-reader-gateway", policy=False)
    _, text = patient.examined().finding("role of gateway")
    command = shlex.split(text.partition(" > ")[2].partition(" > policy.json")[0])
    from cortex_async_tools.cli import main  # noqa: PLC0415

    assert command[0] == "cortex-async"
    assert main(command[1:]) == 0


def test_without_credentials_it_says_every_way_and_goes_on(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in patient.emulator.credentials:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    said = patient.examined()
    _, text = said.finding("account")
    for way in ("aws sso login", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        assert way in text
    assert said.finding("cluster")[0] == "ok"


def test_keys_of_a_secret_take_the_place_of_roles(patient: Patient) -> None:
    changes: dict[str, Any] = {"aws": {"credentialsSecret": "keys"}}
    state, text = patient.examined(**changes).finding("role of gateway")
    assert state == "missing"
    assert "kubectl -n default create secret generic keys --from-literal=AWS_ACCESS_KEY_ID=…" in text
    data = {"AWS_ACCESS_KEY_ID": "eA==", "AWS_SECRET_ACCESS_KEY": "eA=="}
    patient.cluster.add("v1", "secrets", {"metadata": {"name": "keys"}, "data": data})
    assert patient.examined(**changes).finding("role of gateway")[0] == "ok"


def test_a_cluster_that_does_not_answer_is_told_and_the_account_too(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    said = patient.examined()
    state, text = said.finding("cluster")
    assert state == "missing"
    assert "aws eks update-kubeconfig" in text
    assert said.finding("bucket")[0] == "missing"


CLUSTERS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "an old version": ({"version": "v1.28.3"}, {}, "cluster", "1.29 or newer is needed"),
    "no namespace": ({"namespaces": {}}, {}, "namespace", "> kubectl create namespace default"),
    "a stricter namespace": (
        {"namespaces": {"default": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        {"securityContext": {"level": "baseline"}},
        "namespace",
        "securityContext.level is baseline",
    ),
    "no KEDA": ({"absent": {"keda.sh/v1alpha1"}}, {}, "KEDA", "install KEDA 2.17 or newer"),
    "no KEDA though asked for": (
        {"absent": {"keda.sh/v1alpha1"}},
        {"autoscaling": {"engine": "keda"}},
        "KEDA",
        "the cluster does not know keda.sh/v1alpha1 ScaledObject",
    ),
    "no metrics server": ({"further": set()}, {}, "metrics server", "--addon-name metrics-server"),
    "no Gateway API": (
        {},
        {"networking": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}},
        "Gateway API",
        "install a Gateway API controller",
    ),
    "no Gateway": (
        {},
        {"networking": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}},
        "Gateway",
        "the Gateway default/public is not there",
    ),
    "no Ingress controller": (
        {},
        {"networking": {"ingress": {"enabled": True, "className": "alb"}}},
        "Ingress",
        "there is no IngressClass alb",
    ),
    "no pull secret": (
        {},
        {"imagePullSecrets": [{"name": "registry"}]},
        "image pull",
        "create secret docker-registry",
    ),
    "no monitoring": (
        {},
        {"monitoring": {"podMonitor": {"enabled": True}}},
        "Prometheus operator",
        "monitoring.podMonitor.enabled to false",
    ),
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_what_the_cluster_lacks_is_told(patient: Patient, name: str) -> None:
    settings, changes, what, expected = CLUSTERS[name]
    for key, value in settings.items():
        setattr(patient.cluster, key, value)
    state, text = patient.examined(**changes).finding(what)
    assert state == "missing"
    assert expected in text


def test_a_secret_that_pods_read_is_looked_for_unless_it_may_be_absent(patient: Patient) -> None:
    def token(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name.upper(), "valueFrom": {"secretKeyRef": {"name": name, "key": "k", **more}}}

    changes: dict[str, Any] = {"extraEnv": [token("hub"), token("other", optional=True)]}
    state, text = patient.examined(**changes).finding("Secret hub")
    assert state == "missing"
    assert "kubectl -n default create secret generic hub" in text
    patient.cluster.add("v1", "secrets", {"metadata": {"name": "hub"}})
    said = patient.examined(**changes)
    assert said.finding("Secret hub")[0] == "ok"
    assert "Secret other" not in said.out
    assert "Secret api-reader-client" not in said.out  # the release brings it


def _quota(patient: Patient, hard: dict[str, str], used: dict[str, str]) -> None:
    quota = {"metadata": {"name": "small"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}}
    patient.cluster.add("v1", "resourcequotas", quota)


@pytest.mark.parametrize(
    ("hard", "used", "expected"),
    [
        ({"requests.cpu": "1"}, {"requests.cpu": "900m"}, "small leaves 0.1 of requests.cpu"),
        ({"pods": "5"}, {"pods": "4"}, "small leaves 1 of pods, and one pod of each kind asks for 2"),
        ({"memory": "1Gi"}, {"memory": "1000Mi"}, "of memory"),
        ({"limits.cpu": "8"}, {}, "make a LimitRange in default"),
    ],
)
def test_a_quota_that_leaves_too_little_is_told(
    patient: Patient, hard: dict[str, str], used: dict[str, str], expected: str
) -> None:
    _quota(patient, hard, used)
    state, text = patient.examined().finding("quota")
    assert state == "missing"
    assert expected in text


def test_a_quota_that_leaves_enough_is_fine(patient: Patient) -> None:
    _quota(patient, {"requests.cpu": "10", "pods": "20"}, {"pods": "1"})
    assert patient.examined().finding("quota")[0] == "ok"


def test_what_may_not_be_read_is_unknown_and_the_rest_is_looked_at(patient: Patient) -> None:
    patient.cluster.forbidden = {"resourcequotas", "deployments"}
    said = patient.examined()
    assert said.finding("quotas")[0] == "unknown"
    assert said.finding("metrics server")[0] == "ok"
    assert re.search(r"\d could not be looked at", said.out)


# ---- an installed release --------------------------------------------------------------------------------------


@pytest.fixture
def installed(patient: Patient, helm4: Helm) -> Patient:
    """A release whose pods are not ready, in an account that has everything."""
    patient.cure()
    for each in helm4.template(patient.values, release="reader"):
        if each["kind"] == "Deployment":
            patient.cluster.add("apps/v1", "deployments", each)
    return patient


def _pod(patient: Patient, status: dict[str, Any]) -> str:
    """Give the API's pod another status; return its name."""
    (pod,) = [
        each
        for (_, plural, _, name), each in patient.cluster.objects.items()
        if plural == "pods" and each["metadata"]["labels"]["app.kubernetes.io/component"] == "api"
    ]
    pod["status"] = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}], **status}
    return str(pod["metadata"]["name"])


def _container(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "api", "image": "api:1", "ready": False, **state}]}


PODS = {
    "an image that does not exist": (
        _container(state={"waiting": {"reason": "ImagePullBackOff", "message": "api:1: not found"}}),
        ["the image api:1 of api cannot be pulled: api:1: not found", "docker push api:1"],
    ),
    "a crash": (
        _container(
            state={"waiting": {"reason": "CrashLoopBackOff"}},
            lastState={"terminated": {"exitCode": 3, "message": "no such model"}},
        ),
        ["api ended with exit code 3: no such model", "-c api --previous"],
    ),
    "too little memory": (
        _container(
            state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"reason": "OOMKilled"}}
        ),
        ["api used more memory than it may", "compute.mem"],
    ),
    "a Secret that is not there": (
        _container(
            state={"waiting": {"reason": "CreateContainerConfigError", "message": "secret tokens not found"}}
        ),
        ["api cannot be started: secret tokens not found"],
    ),
    "never ready": (_container(state={"running": {}}), ["api never got ready", "logs"]),
    "no room": (
        {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient cpu"}]},
        ["no node takes it: 0/3 nodes: Insufficient cpu", "add nodes"],
    ),
}


@pytest.mark.parametrize("name", PODS)
def test_why_a_pod_is_not_ready_is_told(installed: Patient, name: str) -> None:
    status, expected = PODS[name]
    pod = _pod(installed, status)
    said = installed.examined()
    assert said.code == 1
    state, text = said.finding(f"pod {pod}")
    assert state == "missing"
    for each in expected:
        assert each in text
    assert said.finding("api-reader-gateway")[0] == "ok"


def test_a_pod_that_says_nothing_has_its_last_event(installed: Patient) -> None:
    pod = _pod(installed, {})
    for number, text in enumerate(["first", "volume models is not there"]):
        installed.cluster.add(
            "v1",
            "events",
            {
                "metadata": {"name": f"e{number}"},
                "involvedObject": {"name": pod},
                "type": "Warning",
                "reason": "FailedMount",
                "message": text,
                "lastTimestamp": f"2026-11-25T10:00:0{number}Z",
            },
        )
    assert "FailedMount: volume models is not there" in installed.examined().finding(f"pod {pod}")[1]


def test_pods_that_are_refused_are_told(installed: Patient) -> None:
    found = installed.cluster.find("deployments", "api-reader")
    assert found is not None
    message = 'pods "api-reader-x" is forbidden: exceeded quota: small'
    found["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": message}]
    assert message in installed.examined().out.replace("\n         ", " ")


def test_a_provisioning_job_that_failed_says_why(installed: Patient) -> None:
    labels = {"apiName": "reader", "app.kubernetes.io/component": "provision"}
    job = installed.cluster.add(
        "batch/v1", "jobs", {"metadata": {"name": "api-reader-provision", "labels": labels}}
    )
    job["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    ended = {"exitCode": 1, "message": "the bucket results may not be used (403)"}
    status = {"containerStatuses": [{"name": "provision", "state": {"terminated": ended}}]}
    pod = {"metadata": {"name": "api-reader-provision-x", "labels": labels}, "status": status}
    installed.cluster.add("v1", "pods", pod)
    state, text = installed.examined().finding("provisioning")
    assert state == "missing"
    assert "the bucket results may not be used (403)" in text
    assert "delete job api-reader-provision" in text


def test_what_keda_has_against_its_object_is_told(installed: Patient) -> None:
    conditions = [{"type": "Ready", "status": "False", "message": "ScaledObject doesn't have correct triggers"}]
    scaled = {"metadata": {"name": "api-reader"}, "status": {"conditions": conditions}}
    installed.cluster.add("keda.sh/v1alpha1", "scaledobjects", scaled)
    assert "doesn't have correct triggers" in installed.examined().finding("scaling")[1]


def test_a_release_that_runs_has_nothing_to_mend(installed: Patient) -> None:
    said = installed.examined()
    assert said.code == 0, said.out
    assert said.finding("api-reader") == ("ok", "ok api-reader: 1 of 1 pods are ready")
