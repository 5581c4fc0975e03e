"""The doctor, as a user calls it: with a cluster's kubeconfig, and an AWS account that the emulator plays."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from chart.helm_cli import merged, minimal
from cortex_async_tools.cli import main
from support.kubernetes_api import ApiServer, api_version, refusal, serving
from support.processes import Emulator

ROLES = {"serviceAccount": "dispatcher", "gateway": "gateway", "provision": "provision"}
ACCOUNT = "000000000000"


class Cluster(ApiServer):
    """A cluster whose APIs and namespaces a test chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.absent: set[str] = set()
        self.further = {"metrics.k8s.io/v1beta1"}
        self.namespaces: dict[str, dict[str, str]] = {"default": {}}
        self.version = "v1.34.0"

    async def _about(self, _: web.Request) -> web.Response:
        return web.json_response({"gitVersion": self.version})

    async def _resources(self, request: web.Request) -> web.Response:
        version = api_version(request)
        if version in self.absent:
            return refusal(404, f"no group {version}")
        if version in self.further:
            return web.json_response({"kind": "APIResourceList", "groupVersion": version, "resources": []})
        return await super()._resources(request)

    async def _one(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if request.match_info["plural"] == "namespaces" and name in self.namespaces:
            return web.json_response({"metadata": {"name": name, "labels": self.namespaces[name]}})
        if request.match_info["plural"] == "namespaces":
            return refusal(404, f'namespaces "{name}" not found')
        return await super()._one(request)


@dataclass
class Said:
    code: int
    out: str

    def finding(self, what: str) -> tuple[str, str]:
        """The state of a thing and all that is said of it, in one line."""
        blocks = [" ".join(each.split()) for each in self.out.replace("\n         ", " ").splitlines()]
        (found,) = [each for each in blocks if each.partition(" ")[2].startswith(f"{what}: ")]
        return found.partition(" ")[0], found


@dataclass
class Patient:
    """A values file, its cluster and its account."""

    cluster: Cluster
    emulator: Emulator
    folder: Path
    capsys: pytest.CaptureFixture[str]
    values: dict[str, Any]

    def examined(self, *words: str, **changes: Any) -> Said:
        file = self.folder / "reader.yaml"
        file.write_text(yaml.safe_dump(merged(self.values, changes)))
        self.capsys.readouterr()
        code = main(["doctor", str(file), *words])
        captured = self.capsys.readouterr()
        assert not captured.err, captured.err
        return Said(code, captured.out)

    def cure(self) -> None:
        """Make all that the doctor wants before an installation."""
        region = self.emulator.region
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.emulator.client("s3").create_bucket(Bucket="results", **place)
        for name in ("cortex-reader", "cortex-reader-dead-letter"):
            self.emulator.client("sqs").create_queue(QueueName=name)
        for part in ROLES.values():
            account = {"dispatcher": "api-reader"}.get(part, f"api-reader-{part}")
            self.make_role(part, f"system:serviceaccount:default:{account}")

    def make_role(self, name: str, trusted: str, *, policy: bool = True) -> None:
        subject = {"StringEquals": {"issuer:sub": trusted}}
        statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": subject}
        iam = self.emulator.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
        if policy:
            allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)


Examine = Callable[..., Said]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("aws"))
    yield emulator
    emulator.process.kill()


@pytest.fixture
def patient(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Patient]:
    emulator = aws
    reset = urllib.request.Request(f"{aws.url}/_ministack/reset", method="POST")
    urllib.request.urlopen(reset).close()
    cluster = Cluster()
    for name, value in emulator.credentials.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it would remember credentials of other tests
    roles: dict[str, Any] = {}
    for key, part in ROLES.items():
        account = {"annotations": {"eks.amazonaws.com/role-arn": f"arn:aws:iam::{ACCOUNT}:role/{part}"}}
        roles[key] = account if key == "serviceAccount" else {"serviceAccount": account}
    values = minimal(name="reader", image={"repository": "glue"}, aws={"region": emulator.region}, **roles)
    with serving(cluster, tmp_path) as served:
        monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
        yield Patient(cluster, emulator, tmp_path, capsys, values)
