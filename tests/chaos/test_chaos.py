"""A bounded chaos run; `make chaos` is the long one."""

import random
from collections import Counter
from pathlib import Path

import pytest

from chaos.faults import Fault, Operation, choose, error_answer, operation_of, weights
from chaos.run import Options, run
from chaos.webhooks import Receiver


async def test_no_accepted_request_is_lost_or_wrong_under_kills_and_faults(tmp_path: Path) -> None:
    said: list[str] = []
    options = Options(
        requests=400,
        kill_interval=2.0,
        dispatchers=2,
        concurrency=64,
        crash_every=400,
        refuse_every=0,
        deadline=240,
    )
    assert await run(options, tmp_path, said.append), "\n".join(said)


@pytest.mark.parametrize("name", ["PutObject", "GetObject", "ReceiveMessage", "SendMessageBatch"])
def test_faults_come_at_the_rate_that_was_asked_for(name: str) -> None:
    operation = Operation("sqs" if "Message" in name else "s3", name)
    chance = random.Random(1)
    found = Counter(choose(chance, 0.1, operation) for _ in range(20_000))
    assert 0.09 < 1 - found[None] / 20_000 < 0.11
    assert found.keys() == {None, *weights(operation)}


def test_operations_are_told_apart() -> None:
    assert operation_of("POST", "", {"X-Amz-Target": "AmazonSQS.SendMessageBatch"}).name == "SendMessageBatch"
    assert operation_of("PUT", "", {"If-None-Match": "*"}) == Operation("s3", "PutObject", conditional=True)
    assert operation_of("POST", "uploads=", {}).name == "CreateMultipartUpload"
    assert operation_of("PUT", "partNumber=1&uploadId=x", {}).name == "UploadPart"
    assert operation_of("POST", "uploadId=x", {}).name == "CompleteMultipartUpload"


def test_errors_have_the_form_of_their_service() -> None:
    throttled = error_answer(Operation("sqs", "SendMessageBatch"), Fault.THROTTLED)
    assert throttled is not None
    assert throttled[:2] == (400, "application/x-amz-json-1.0")
    slow_down = error_answer(Operation("s3", "PutObject"), Fault.THROTTLED)
    assert slow_down is not None
    assert slow_down[0] == 503
    assert b"<Code>SlowDown</Code>" in slow_down[2]
    head = error_answer(Operation("s3", "HeadObject"), Fault.EXPIRED)
    assert head == (400, "application/xml", b"")


@pytest.mark.parametrize(("refused", "queued", "is_wrong"), [(True, 1, False), (True, 0, True), (False, 1, True)])
async def test_a_webhook_that_did_not_come_is_wrong_unless_it_was_refused_and_is_queued(
    refused: bool, queued: int, is_wrong: bool
) -> None:
    receiver = Receiver(1, refused={"a"} if refused else set(), taken={"b": "completed"})
    wrong = await receiver.settle({"a": "completed", "b": "completed"}, 0.01, lambda: queued)
    assert wrong == (["a: no webhook came of its end"] if is_wrong else [])
