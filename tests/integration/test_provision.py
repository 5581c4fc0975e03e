"""provision: what it makes, that it merges, and that running it again changes nothing."""

import asyncio
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortex_async.aws import boto
from cortex_async.config import ApiConfig
from cortex_async.provision import command as provision
from support.aws_proxy import AwsProxy
from support.processes import Emulator, Process, free_port, wait_until
from support.stack import Stack

ROOT = Path(__file__).parents[2]
MakeStack = Callable[..., Stack]


def attributes(stack: Stack, name: str) -> dict[str, str]:
    sqs = stack.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def rules(stack: Stack, bucket: str) -> list[dict[str, Any]]:
    found = stack.emulator.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)
    return list(found["Rules"])


@pytest.fixture
def bucket(emulator: Emulator) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    emulator.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": emulator.region}
    )
    return name


def play(monkeypatch: pytest.MonkeyPatch, found: Callable[..., None], put: Callable[..., None], at: str) -> None:
    """Let `found` change what the bucket's lifecycle is said to be, and show `put` what is written."""

    def client(api: ApiConfig, service: str, **options: Any) -> Any:
        made = boto.client(api, service, **options)
        made.meta.events.register("after-call.s3.GetBucketLifecycleConfiguration", found)
        made.meta.events.register(f"{at}.s3.PutBucketLifecycleConfiguration", put)
        return made

    monkeypatch.setattr(provision, "client", client)


def test_makes_queue_dead_letter_queue_and_lifecycle_rule(make_stack: MakeStack, bucket: str) -> None:
    stack = make_stack({"storage": {"bucket": bucket, "retentionDays": 3}})
    process = stack.command("provision")
    assert process.wait() == 0, process.log
    queue = attributes(stack, stack.document["queue"]["name"])
    dead_letters = attributes(stack, stack.document["queue"]["deadLetterName"])
    assert queue["VisibilityTimeout"] == "60"
    assert queue["MessageRetentionPeriod"] == str(3 * 86_400)
    assert dead_letters["MessageRetentionPeriod"] == str(14 * 86_400)
    redrive = json.loads(queue["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == dead_letters["QueueArn"]
    assert int(redrive["maxReceiveCount"]) > 11  # later than the dispatcher's own limit for three attempts
    (rule,) = rules(stack, bucket)
    assert rule["Filter"]["Prefix"] == f"test/{stack.name}/"
    assert rule["Expiration"]["Days"] == 3
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 1
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 1


def test_changes_nothing_the_second_time(make_stack: MakeStack, bucket: str) -> None:
    stack = make_stack({"storage": {"bucket": bucket}})
    logs = []
    for _ in range(2):
        process = stack.command("provision")
        assert process.wait() == 0, process.log
        logs.append(process.log)
    assert logs[1].count("queue unchanged") == 2  # the second run's lines follow the first's in the same file
    assert logs[1].count("queue created") == logs[0].count("queue created") == 2
    assert len(rules(stack, bucket)) == 1


def test_brings_a_queue_up_to_date(make_stack: MakeStack, bucket: str) -> None:
    stack = make_stack({"storage": {"bucket": bucket}})
    stack.provision()
    stack.document["storage"]["retentionDays"] = 2
    stack.document["queue"]["maxAttempts"] = 20
    stack.provision()
    queue = attributes(stack, stack.document["queue"]["name"])
    assert queue["MessageRetentionPeriod"] == str(2 * 86_400)
    assert int(json.loads(queue["RedrivePolicy"])["maxReceiveCount"]) > 45
    assert [rule["Expiration"]["Days"] for rule in rules(stack, bucket)] == [2]


def test_keeps_the_lifecycle_rules_of_others(make_stack: MakeStack, bucket: str) -> None:
    one, other = make_stack({"storage": {"bucket": bucket}}), make_stack({"storage": {"bucket": bucket}})
    theirs = {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30}}
    one.emulator.client("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [theirs]}
    )
    one.provision()
    other.provision()
    found = {rule["ID"]: rule["Filter"]["Prefix"] for rule in rules(one, bucket)}
    assert sorted(found.values()) == sorted(["logs/", f"test/{one.name}/", f"test/{other.name}/"])
    assert theirs in rules(one, bucket)


def test_old_form_of_a_rule_is_written_as_the_new_one(
    make_stack: MakeStack, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 keeps both forms, and refuses them together; the emulator knows one: the client plays its part."""
    stack = make_stack({"storage": {"bucket": bucket}})
    theirs = {"ID": "logs", "Status": "Enabled", "Expiration": {"Days": 30}}
    stack.emulator.client("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [{**theirs, "Filter": {"Prefix": "logs/"}}]}
    )
    put: list[dict[str, Any]] = []

    def found(parsed: dict[str, Any], **_: Any) -> None:
        parsed.update(Rules=put[-1]["LifecycleConfiguration"]["Rules"] if put else [{**theirs, "Prefix": "logs/"}])

    play(monkeypatch, found, lambda params, **_: put.append(params), "provide-client-params")
    stack.provision()
    (written,) = put
    assert written["LifecycleConfiguration"]["Rules"][0] == {**theirs, "Filter": {"Prefix": "logs/"}}


@pytest.mark.parametrize(("limit", "grows"), [(262_144, False), (262_145, True)])
def test_queues_take_the_largest_message(make_stack: MakeStack, bucket: str, limit: int, grows: bool) -> None:
    stack = make_stack({"storage": {"bucket": bucket}})
    stack.provision()
    sqs = stack.emulator.client("sqs")
    names = [stack.document["queue"][key] for key in ("name", "deadLetterName")]
    for name in names:  # as they were made before SQS took more
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "262144"})
    stack.document["queue"]["inlineLimitBytes"] = limit
    stack.provision()
    found = {attributes(stack, name)["MaximumMessageSize"] for name in names}
    assert found == {"1048576" if grows else "262144"}


def test_most_attempts_that_the_values_may_ask_for_are_within_what_sqs_counts(
    make_stack: MakeStack, bucket: str
) -> None:
    schema = json.loads((ROOT / "schemas" / "api.schema.json").read_text())
    most = schema["properties"]["queue"]["properties"]["maxAttempts"]["maximum"]
    stack = make_stack({"storage": {"bucket": bucket}, "queue": {"maxAttempts": most}})
    stack.provision()
    redrive = json.loads(attributes(stack, stack.document["queue"]["name"])["RedrivePolicy"])
    assert most < int(redrive["maxReceiveCount"]) <= 1000  # more SQS refuses


def test_keeps_the_smallest_size_of_a_transition(
    make_stack: MakeStack, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is beside the rules, in a header that the emulator forgets: the client plays its part."""
    stack = make_stack({"storage": {"bucket": bucket}})
    theirs = {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30}}
    stack.emulator.client("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [theirs]}
    )
    size = "varies_by_storage_class"
    sent: list[str | None] = []

    def remember(params: dict[str, Any], **_: Any) -> None:
        sent.append(params["headers"].get("x-amz-transition-default-minimum-object-size"))

    def found(parsed: dict[str, Any], **_: Any) -> None:
        parsed.update(TransitionDefaultMinimumObjectSize=size)

    play(monkeypatch, found, remember, "before-call")
    stack.provision()
    assert sent == [size]


def test_leaves_a_queue_of_others_alone(make_stack: MakeStack, bucket: str) -> None:
    stack = make_stack({"storage": {"bucket": bucket}})
    sqs = stack.emulator.client("sqs")
    url = sqs.create_queue(QueueName=f"theirs-{stack.name}", Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    stack.document["queue"]["url"] = url
    stack.provision()
    assert attributes(stack, f"theirs-{stack.name}")["VisibilityTimeout"] == "7"
    assert attributes(stack, stack.document["queue"]["deadLetterName"])
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName=stack.document["queue"]["name"])


@pytest.mark.parametrize("theirs", [False, True])
def test_deletes_the_queues_that_it_made_and_no_other(make_stack: MakeStack, theirs: bool) -> None:
    stack = make_stack()
    stack.provision()
    sqs = stack.emulator.client("sqs")
    name, dead_letter_name = stack.document["queue"]["name"], stack.document["queue"]["deadLetterName"]
    changed = {"queue": {**stack.document["queue"], "url": sqs.get_queue_url(QueueName=name)["QueueUrl"]}}
    stack.config_file.write_text(json.dumps({**stack.document, **(changed if theirs else {})}))
    for _ in range(2):  # the second time there is nothing left to delete
        process = stack.command("provision", "--delete")
        assert process.wait() == 0, process.log
    left = sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])
    assert [url.rpartition("/")[2] for url in left] == ([name] if theirs else [])
    assert dead_letter_name.startswith(name)
    assert rules(stack, stack.document["storage"]["bucket"])


@pytest.mark.parametrize("option", [[], ["--delete"]], ids=["provision", "delete"])
def test_queue_of_another_release_is_left_alone_and_told(make_stack: MakeStack, option: list[str]) -> None:
    stack = make_stack()
    stack.provision()
    stack.document["queue"]["visibilityTimeoutSeconds"] = 7
    stack.config_file.write_text(json.dumps({**stack.document, "release": "prod/hello"}))
    process = stack.command("provision", *option)
    assert process.wait() == 1
    assert "is of the release default/hello, not of prod/hello: set another name or clusterName" in process.log
    assert attributes(stack, stack.document["queue"]["name"])["VisibilityTimeout"] == "60"


def test_bucket_that_does_not_exist_is_told_before_anything_is_made(make_stack: MakeStack) -> None:
    stack = make_stack({"storage": {"bucket": "no-such-bucket-here"}})
    process = stack.command("provision")
    assert process.wait() == 1
    assert "the bucket no-such-bucket-here does not exist: create it, or mend aws.bucket" in process.log
    assert "Traceback" not in process.log
    prefix = stack.document["queue"]["name"]
    assert not stack.emulator.client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls")


def test_waits_for_an_endpoint_that_does_not_answer_yet(make_stack: MakeStack, tmp_path: Path) -> None:
    """Beside the emulator, the Job starts with it."""
    port = free_port()
    stack = make_stack({"aws": {"endpointUrl": f"http://127.0.0.1:{port}"}})
    process = stack.command("provision", "--create-bucket")
    wait_until("a first try", lambda: "trying again" in process.log, process)
    late = Emulator(tmp_path, port)
    assert process.wait() == 0, process.log
    url = late.client("sqs").get_queue_url(QueueName=stack.document["queue"]["name"])["QueueUrl"]
    assert url.endswith(stack.document["queue"]["name"])
    late.process.kill()


def test_endpoint_that_never_answers_is_told_when_the_time_is_over(make_stack: MakeStack) -> None:
    stack = make_stack({"aws": {"endpointUrl": f"http://127.0.0.1:{free_port()}"}})
    process = stack.command("provision", "--wait=1")
    assert process.wait() == 1
    (told,) = [line for line in process.log.splitlines() if line.startswith("provision: ")]
    assert "look at aws.endpointUrl, aws.region" in told
    assert "Traceback" not in process.log


def test_missing_credentials_are_told_in_words_of_the_values(make_stack: MakeStack, tmp_path: Path) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    argv = [sys.executable, "-m", "cortex_async", "provision", "--config", str(make_stack().config_file)]
    process = Process("provision", argv, tmp_path, {**none, "HOME": str(tmp_path)})
    assert process.wait() == 1
    assert "set provision.serviceAccount.annotations to a role, or aws.credentialsSecret" in process.log
    assert "AWS_PROFILE" not in process.log


@pytest.mark.parametrize(
    ("method", "told"),
    [("POST", "AccessDeniedException"), ("HEAD", "may not be used (403)"), ("PUT", "AccessDenied")],
    ids=["queue", "bucket", "lifecycle rule"],
)
async def test_missing_right_is_told_at_once_with_what_to_mend(
    make_stack: MakeStack, bucket: str, emulator: Emulator, method: str, told: str
) -> None:
    async with AwsProxy(emulator.url) as aws:
        stack = make_stack({"storage": {"bucket": bucket}, "aws": {"endpointUrl": aws.url}})
        aws.refused = lambda request, _: request.method == method
        process = stack.command("provision")
        assert await asyncio.to_thread(process.wait) == 1
    (line,) = [line for line in process.log.splitlines() if line.startswith("provision: ")]
    assert told in line
    for word in ("provision.serviceAccount.annotations", "aws.credentialsSecret", "cortex-async iam-policy"):
        assert word in line
    assert aws.refusals == 1


async def test_a_lifecycle_rule_made_elsewhere_needs_no_right_to_the_lifecycle(
    make_stack: MakeStack, bucket: str, emulator: Emulator
) -> None:
    async with AwsProxy(emulator.url) as aws:
        stack = make_stack({"storage": {"bucket": bucket}, "aws": {"endpointUrl": aws.url}})
        aws.refused = lambda request, _: "lifecycle" in request.query_string
        process = stack.command("provision", "--no-lifecycle-rule")
        assert await asyncio.to_thread(process.wait) == 0, process.log
    assert aws.refusals == 0
    assert attributes(stack, stack.document["queue"]["name"])
