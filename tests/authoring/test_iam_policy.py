"""iam-policy allows every recorded call of each part, and nothing that it does not call."""

import ast
import asyncio
import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from authoring.conftest import Command
from authoring.policies import grants, refused, used
from authoring.recorded import CHANGES, record
from authoring.recorder import Recorder, Use
from chart.helm_cli import ROOT, Helm, minimal
from chart.objects import find, pod_of
from cortex_async_tools.cli import main
from support.processes import Emulator
from support.stack import BUCKET, Stack

GLUE = ROOT / "glue"
PARTS = ["gateway", "dispatcher", "provision", "dead-letters"]
Policy = Callable[..., Any]


@dataclass(frozen=True)
class Recording:
    """The recorded calls of an API's parts, and the policies for them."""

    name: str
    calls: dict[str, Recorder]
    policies: dict[str, Any]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    folder = tmp_path_factory.mktemp("recording")
    with contextlib.ExitStack() as ends, pytest.MonkeyPatch.context() as patch:
        emulator = Emulator(folder)
        ends.callback(emulator.process.kill)
        for name, value in emulator.credentials.items():
            patch.setenv(name, value)
        emulator.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": emulator.region}
        )
        calls = {part: ends.enter_context(Recorder(emulator.url)) for part in PARTS}
        stack = Stack(emulator, folder, CHANGES)
        ends.callback(stack.stop)
        asyncio.run(record(stack, calls))
        aws = {"region": emulator.region, "bucket": BUCKET}
        values = folder / "values.yaml"
        made = minimal(
            name=stack.name,
            clusterName="test",
            aws=aws,
            queue={"deleteOnUninstall": True},
            gateway={"uploads": True, "payloadReferences": ["s3://others-data/images/"]},
        )
        values.write_text(yaml.safe_dump(made))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main(["iam-policy", str(values)]) == 0
        yield Recording(stack.name, calls, json.loads(printed.getvalue()))


@pytest.fixture
def policy(call: Command, folder: Path) -> Policy:
    def policy(values: dict[str, Any], *words: str) -> Any:
        (folder / "values.yaml").write_text(yaml.safe_dump(values))
        said = call("iam-policy", "values.yaml", *words)
        assert said.code == 0, said.err
        return json.loads(said.out)

    return policy


@pytest.mark.parametrize("part", PARTS)
def test_every_call_is_allowed(recording: Recording, part: str) -> None:
    found = recording.policies[part]
    assert list(refused(found, recording.calls[part].uses)) == []


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_granted_that_is_not_called(recording: Recording, part: str) -> None:
    uses = recording.calls[part].uses
    found = recording.policies[part]
    assert [grant for grant in grants(found) if not used(grant, uses)] == []


@pytest.mark.parametrize("part", PARTS)
def test_another_api_is_out_of_reach(recording: Recording, part: str) -> None:
    name = recording.name
    found = recording.policies[part]
    others = {
        Use(use.action, use.resource.replace(name, f"{name}-2"))
        for use in recording.calls[part].uses
        if name in use.resource
    }
    others |= {Use("s3:ListBucket", BUCKET, prefix) for prefix in ("", "test/", f"test/{name}-2/")}
    others |= {Use(use.action, "another-bucket") for use in recording.calls[part].uses if "s3" in use.action}
    assert set(refused(found, others)) == others
    assert not list(refused(found, [Use("s3:ListBucket", BUCKET, f"test/{name}/aa/")]))


def test_the_recording_has_every_operation_that_the_code_names(recording: Recording) -> None:
    """A new operation in the code must be recorded, too."""
    session = botocore.session.Session()
    known = {name for each in ("s3", "sqs") for name in session.get_service_model(each).operation_names}
    by_method = {xform_name(name): name for name in known}
    named = set()
    for file in GLUE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and node.value in known:
                named.add(node.value)
            elif isinstance(node, ast.Attribute) and node.attr in by_method:
                named.add(by_method[node.attr])
    assert "PutBucketLifecycleConfiguration" in named
    # only local mode creates a bucket, in the emulator, where no policy is needed
    assert named - {"CreateBucket"} == set().union(*(each.operations for each in recording.calls.values()))


def test_without_for_there_is_a_policy_for_each_part(policy: Policy) -> None:
    found = policy(minimal())
    assert list(found) == PARTS
    assert found["provision"] == policy(minimal(), "--for", "provision")


def test_queues_may_be_deleted_only_where_the_values_say_so(policy: Policy) -> None:
    found = {
        keep: {action for action, _ in grants(policy(minimal(queue={"deleteOnUninstall": not keep}))["provision"])}
        for keep in (True, False)
    }
    assert found[False] - found[True] == {"sqs:DeleteQueue"}


def test_the_lifecycle_may_be_changed_only_where_its_rule_is_ours(policy: Policy) -> None:
    found = {
        ours: {action for action, _ in grants(policy(minimal(provision={"lifecycleRule": ours}))["provision"])}
        for ours in (True, False)
    }
    assert found[True] - found[False] == {"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"}
    assert found[False] < found[True]


def test_it_says_that_provisioning_and_the_pods_never_share_a_role(call: Command, folder: Path) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(minimal()))
    assert "provisioning and the pods never share one" in call("iam-policy", "values.yaml").err
    assert call("iam-policy", "values.yaml", "--for", "provision").err == ""


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
    ],
)
def test_arns_are_of_the_regions_partition(policy: Policy, region: str, partition: str) -> None:
    for found in policy(minimal(aws={"region": region})).values():
        assert {resource.split(":")[1] for _, resource in grants(found)} == {partition}


def test_the_account_is_the_roles_own_or_the_one_that_is_given(policy: Policy) -> None:
    (statement,) = (each for each in policy(minimal(), "--for", "gateway")["Statement"] if "sqs" in str(each))
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    found = policy(minimal(name="hello"), "--for", "gateway", "--account", "123456789012")
    (statement,) = (each for each in found["Statement"] if "sqs" in str(each))
    assert statement["Resource"] == ["arn:aws:sqs:eu-west-1:123456789012:cortex-hello"]
    assert "Condition" not in statement


def test_a_queue_of_others_is_used_by_its_url_and_never_changed(policy: Policy) -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/210987654321/theirs.fifo"
    policies = policy(minimal(name="hello", queue={"url": url}))
    theirs = "arn:aws:sqs:eu-west-1:210987654321:theirs.fifo"
    on_theirs = {
        part: {action for action, arn in grants(found) if arn == theirs} for part, found in policies.items()
    }
    assert on_theirs == {
        "gateway": {"sqs:GetQueueAttributes", "sqs:SendMessage"},
        "dispatcher": {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"},
        "provision": set(),
        "dead-letters": {"sqs:SendMessage"},
    }
    queues = {arn.rpartition(":")[2] for found in policies.values() for _, arn in grants(found) if ":sqs:" in arn}
    assert queues == {"theirs.fifo", "cortex-hello-dead-letter"}


def test_kms_keys_are_for_who_reads_and_writes_through_s3_and_sqs(policy: Policy) -> None:
    keys = [f"arn:aws:kms:eu-west-1:123456789012:key/{name}" for name in ("1234abcd-12ab", "mrk-1234abcd")]
    found = policy(minimal(), "--kms-key", keys[0], "--kms-key", keys[1])
    for part, each in found.items():
        granted = {grant for grant in grants(each) if grant[0].startswith("kms:")}
        expected = {(f"kms:{action}", key) for action in ("Decrypt", "GenerateDataKey") for key in keys}
        assert granted == (expected if part != "provision" else set())
    (statement,) = (each for each in found["gateway"]["Statement"] if "kms:Decrypt" in each["Action"])
    assert statement["Condition"] == {"StringLike": {"kms:ViaService": ["s3.eu-west-1.*", "sqs.eu-west-1.*"]}}


def test_alias_is_no_kms_key(call: Command, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(minimal()))
    with pytest.raises(SystemExit) as ended:
        main(["iam-policy", "values.yaml", "--kms-key", "arn:aws:kms:eu-west-1:123456789012:alias/mine"])
    assert ended.value.code == 2
    assert "expected the ARN of a key (IAM takes no alias)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "account", ["abc", '*"', "1234-5678-9012", "12345678901", "1234567890123", "", "123456789012\n"]
)
def test_an_account_is_twelve_digits(
    call: Command, folder: Path, capsys: pytest.CaptureFixture[str], account: str
) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(minimal()))
    with pytest.raises(SystemExit) as ended:
        main(["iam-policy", "values.yaml", "--account", account])
    assert ended.value.code == 2
    assert f"expected the 12 digits of an AWS account, got {account!r}" in capsys.readouterr().err


def test_where_the_job_is_switched_off_there_is_no_policy_for_it(
    call: Command, folder: Path, policy: Policy
) -> None:
    assert "provision" not in policy(minimal(provision={"enabled": False}))
    said = call("iam-policy", "values.yaml", "--for", "provision")
    assert said.code == 1
    assert "provision.enabled is false" in said.err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (minimal(pod={"prt": 1}), "pod.prt: unknown field"),
        (minimal(aws={"region": "xx-nowhere-1"}), "expected a region of AWS, got xx-nowhere-1"),
        (minimal(emulator={"enabled": True, "image": "emulator:1"}), "nothing of AWS is used"),
    ],
)
def test_what_has_no_policy_is_told(call: Command, folder: Path, values: dict[str, Any], message: str) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(values))
    said = call("iam-policy", "values.yaml")
    assert (said.code, said.out) == (1, "")
    assert message in said.err


@pytest.mark.parametrize("share", [False, True])
def test_it_says_who_has_the_role_of_the_dispatcher(call: Command, folder: Path, share: bool) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(minimal(serviceAccount={"shareWithContainers": share})))
    said = call("iam-policy", "values.yaml", "--for", "dispatcher")
    assert ("the user's containers have the dispatcher's role too" in said.err) == share
    assert ("the dispatcher alone gets its role" in said.err) == (not share)
    assert not call("iam-policy", "values.yaml", "--for", "gateway").err


ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
IRSA = ("--trust", "irsa", "--account", "123456789012", "--oidc-provider", f"https://{ISSUER}")


def _accounts(values: dict[str, Any], helm4: Helm) -> dict[str, str]:
    """The service accounts that the rendered pods have."""
    objects = helm4.template(values, release="other")
    names = {"gateway": "api-hello-gateway", "dispatcher": "api-hello"}
    found = {part: pod_of(objects, "Deployment", name)["serviceAccountName"] for part, name in names.items()}
    return found | {"provision": find(objects, "Job")["spec"]["template"]["spec"]["serviceAccountName"]}


@pytest.mark.parametrize(
    "own", [{}, {"serviceAccount": {"name": "mine"}, "gateway": {"serviceAccount": {"name": "g"}}}]
)
def test_each_role_trusts_the_service_account_of_its_pods_alone(policy: Policy, own: dict[str, Any]) -> None:
    values = minimal(name="hello", **own)
    accounts = _accounts(values, Helm.of_version("4.3.1"))
    for part, found in policy(values, *IRSA, "--namespace", "apis").items():
        (statement,) = found["Statement"]
        assert statement["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        who = f"system:serviceaccount:apis:{accounts[part]}"
        assert statement["Condition"] == {
            "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": who}
        }
    for part, found in policy(values, "--trust", "pod-identity", "--namespace", "apis").items():
        (statement,) = found["Statement"]
        assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
        assert statement["Condition"]["StringEquals"] == {
            "aws:RequestTag/kubernetes-namespace": "apis",
            "aws:RequestTag/kubernetes-service-account": accounts[part],
        }


def test_trust_by_irsa_says_what_is_missing_and_where_it_is_found(call: Command, folder: Path) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(minimal()))
    said = call("iam-policy", "values.yaml", "--trust", "irsa")
    assert (said.code, said.out) == (1, "")
    assert "cluster.identity.oidc.issuer" in said.err


def test_the_partition_is_that_of_the_region(policy: Policy) -> None:
    values = minimal(aws={"region": "cn-north-1", "bucket": "results"})
    found = policy(values, *IRSA, "--for", "gateway")
    assert found["Statement"][0]["Principal"]["Federated"].startswith("arn:aws-cn:iam::")


def test_a_person_has_no_service_account(call: Command, folder: Path) -> None:
    (folder / "values.yaml").write_text(yaml.safe_dump(minimal()))
    said = call("iam-policy", "values.yaml", *IRSA, "--for", "dead-letters")
    assert (said.code, said.out) == (1, "")
    assert "it is run by a person" in said.err
