"""What can go wrong with a call to S3 or SQS, how often, and the answers the services give then."""

import enum
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl


class Fault(enum.StrEnum):
    """One kind of fault; the value is its name in the counts."""

    INTERNAL_ERROR = "internal error (500)"
    UNAVAILABLE = "service unavailable (503)"
    THROTTLED = "throttled"
    EXPIRED = "expired credentials"
    SKEWED = "refused for the clock"
    DELAYED = "delayed"
    CUT_BEFORE = "connection cut, call not carried out"
    CUT_AFTER = "connection cut, call carried out"
    TRUNCATED = "answer truncated"
    CONFLICT = "conditional write conflict (409)"
    LATE_ERROR = "error after the status 200"
    PARTIAL_BEFORE = "batch entries failed, not carried out"
    PARTIAL_AFTER = "batch entries failed, carried out"
    DUPLICATED = "message delivered again"


@dataclass(frozen=True)
class Operation:
    """A call as the proxy sees it."""

    service: str  # "s3" or "sqs"
    name: str
    conditional: bool = False

    @property
    def is_batch(self) -> bool:
        return self.name.endswith("Batch")


def operation_of(method: str, query: str, headers: Mapping[str, str]) -> Operation:
    """Name the operation of a request to the JSON protocol of SQS or to S3."""
    target = headers.get("X-Amz-Target", "")
    if target.startswith("AmazonSQS."):
        return Operation("sqs", target.removeprefix("AmazonSQS."))
    keys = {key for key, _ in parse_qsl(query, keep_blank_values=True)}
    if "uploads" in keys:
        name = "CreateMultipartUpload"
    elif "uploadId" in keys:
        names = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
        name = names[method]
    else:
        name = f"{method.capitalize()}Object"
    return Operation("s3", name, "If-None-Match" in headers)


_USUAL = {
    Fault.INTERNAL_ERROR: 10,
    Fault.UNAVAILABLE: 10,
    Fault.THROTTLED: 10,
    Fault.EXPIRED: 1,
    Fault.DELAYED: 15,
    Fault.CUT_BEFORE: 15,
    Fault.CUT_AFTER: 25,
    Fault.TRUNCATED: 10,
}
_OF_BATCHES = {Fault.PARTIAL_BEFORE: 25, Fault.PARTIAL_AFTER: 25}


def weights(operation: Operation) -> dict[Fault, int]:
    """Return the kinds that apply to an operation, and how often each comes among the faults."""
    found = dict(_USUAL)
    if operation.is_batch:
        found |= _OF_BATCHES
    if operation.name == "ReceiveMessage":
        found[Fault.DUPLICATED] = 100
    if operation.name == "CompleteMultipartUpload":
        found[Fault.LATE_ERROR] = 20
    if operation.conditional:
        found[Fault.CONFLICT] = 20
    if operation.name in ("HeadObject", "DeleteObject", "PutObject", "UploadPart"):
        del found[Fault.TRUNCATED]  # their answers have no body
    return found


def choose(chance: random.Random, rate: float, operation: Operation) -> Fault | None:
    """Choose a fault for one call, or none."""
    if chance.random() >= rate:
        return None
    found = weights(operation)
    return chance.choices(list(found), list(found.values()))[0]


_S3_ERRORS = {
    Fault.INTERNAL_ERROR: (500, "InternalError"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable"),
    Fault.THROTTLED: (503, "SlowDown"),
    Fault.EXPIRED: (400, "ExpiredToken"),
    Fault.SKEWED: (403, "RequestTimeTooSkewed"),
    Fault.CONFLICT: (409, "ConditionalRequestConflict"),
    Fault.LATE_ERROR: (200, "InternalError"),
}
_SQS_ERRORS = {
    Fault.INTERNAL_ERROR: (500, "InternalFailure"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable"),
    Fault.THROTTLED: (400, "ThrottlingException"),
    Fault.EXPIRED: (403, "ExpiredTokenException"),
    Fault.SKEWED: (403, "InvalidSignatureException"),
}


def error_answer(operation: Operation, fault: Fault) -> tuple[int, str, bytes] | None:
    """Return status, Content-Type and body of the error a service answers; None when it answers none."""
    if operation.service == "sqs":
        if fault not in _SQS_ERRORS:
            return None
        status, code = _SQS_ERRORS[fault]
        document = {"__type": f"com.amazonaws.sqs#{code}", "message": "made by the faulty proxy"}
        return status, "application/x-amz-json-1.0", json.dumps(document).encode()
    if fault not in _S3_ERRORS:
        return None
    status, code = _S3_ERRORS[fault]
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>made by the faulty proxy</Message></Error>"
    )
    return status, "application/xml", b"" if operation.name == "HeadObject" else xml.encode()


def delay_seconds(chance: random.Random) -> float:
    """Mostly some tenths of a second, at most four seconds."""
    return min(4.0, chance.expovariate(1 / 0.3))
