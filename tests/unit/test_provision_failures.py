"""What provision waits for, and what it says at once."""

import botocore.exceptions
import pytest

from cortex_async import limits
from cortex_async.provision.failures import ProvisionError, passes, persist


def answer(status: int, code: str) -> botocore.exceptions.ClientError:
    document = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(document, "CreateQueue")


URL = "https://sqs.internal"
PASSING = [
    answer(500, "InternalError"),
    answer(503, "SlowDown"),
    answer(400, "ThrottlingException"),
    answer(400, "AWS.SimpleQueueService.QueueDeletedRecently"),
    answer(409, "OperationAborted"),
    botocore.exceptions.EndpointConnectionError(endpoint_url=URL),
    botocore.exceptions.ConnectTimeoutError(endpoint_url=URL),
    botocore.exceptions.ReadTimeoutError(endpoint_url=URL),
]
FINAL = [
    (answer(403, "AccessDenied"), "cortex-async iam-policy"),
    (answer(400, "InvalidClientTokenId"), "the Secret of aws.credentialsSecret"),
    (answer(403, "SignatureDoesNotMatch"), "the Secret of aws.credentialsSecret"),
    (answer(400, "InvalidAttributeValue"), "InvalidAttributeValue"),
    (botocore.exceptions.NoCredentialsError(), "aws.credentialsSecret"),
    (botocore.exceptions.SSLError(endpoint_url=URL, error="self-signed"), "AWS_CA_BUNDLE in aws.extraEnv"),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_by_itself_is_tried_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROVISION_PAUSE_SECONDS", 0.0)
    tries = []

    def action() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error

    persist(action, 60)
    assert len(tries) == 2


@pytest.mark.parametrize(("error", "told"), FINAL, ids=[str(error) for error, _ in FINAL])
def test_what_stays_as_it_is_is_told_at_once(error: Exception, told: str) -> None:
    assert not passes(error)
    tries = []

    def action() -> None:
        tries.append(1)
        raise error

    with pytest.raises(ProvisionError, match=told):
        persist(action, 60)
    assert tries == [1]


def test_what_does_not_pass_is_told_once_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Helm prints the log of the Job, but not all of a long one."""
    monkeypatch.setattr(limits, "PROVISION_PAUSE_SECONDS", 0.0)
    tries = []

    def action() -> None:
        tries.append(1)
        raise PASSING[0] if len(tries) < 100 else FINAL[0][0]

    with pytest.raises(ProvisionError, match=r"cortex-async iam-policy"):
        persist(action, 60)
    assert [record.message for record in caplog.records] == ["trying again: this may pass"]
