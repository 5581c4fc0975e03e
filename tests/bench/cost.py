"""What the counted calls cost at AWS's list prices (us-west-2, first tier)."""

from collections.abc import Mapping
from dataclasses import dataclass

_DOLLARS_A_CALL = {"put": 5e-6, "get": 0.4e-6, "sqs": 0.4e-6, "free": 0.0}
_CLASS = {
    "PutObject": "put",
    "CreateMultipartUpload": "put",
    "UploadPart": "put",
    "CompleteMultipartUpload": "put",
    "ListObjectsV2": "put",
    "GetObject": "get",
    "HeadObject": "get",
    "DeleteObject": "free",
    "AbortMultipartUpload": "free",
    "SendMessageBatch": "sqs",
    "ReceiveMessage": "sqs",
    "DeleteMessageBatch": "sqs",
    "ChangeMessageVisibilityBatch": "sqs",
    "GetQueueUrl": "sqs",
}


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls a request: S3's by price class, SQS's as made and as billed (once for every 64 KB)."""

    put: float
    get: float
    sqs: float
    dollars_a_million: float


def calls_a_request(counts: Mapping[str, Mapping[str, int]], requests: int) -> Calls:
    """Share the counted calls among the requests; raises KeyError for an operation that has no price here."""
    made = dict.fromkeys(_DOLLARS_A_CALL, 0)
    dollars = 0.0
    for operation, count in counts.items():
        kind = _CLASS[operation]
        made[kind] += count["calls"]
        dollars += count["billed"] * _DOLLARS_A_CALL[kind]
    return Calls(made["put"] / requests, made["get"] / requests, made["sqs"] / requests, dollars / requests * 1e6)
