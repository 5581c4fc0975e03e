"""What an answer of S3 or SQS that is no success says."""

import json
import re

import aiohttp

from cortex_async.errors import AwsRefused, ObjectExists, ObjectMissing


def refusal(operation: str, status: int, code: str, message: str) -> AwsRefused:
    """Return the error of a refusal, of the kind that callers tell apart."""
    kind = AwsRefused
    if operation in ("GetObject", "HeadObject") and code == "NoSuchKey":
        kind = ObjectMissing
    elif status == 412 or code == "PreconditionFailed":  # after a 200 it comes late
        kind = ObjectExists
    elif status == 403 and kind is AwsRefused and operation in ("GetObject", "HeadObject"):
        message += " (s3:GetObject is needed, and s3:ListBucket: without it S3 answers 403 for what is not there)"
    return kind(operation, status, code or f"HTTP{status}", message)


def code_of_head(response: aiohttp.ClientResponse) -> str:
    """The error code of an answer to a HEAD, which has no body to hold it."""
    if response.status == 400:
        return "ExpiredToken"  # of all reasons for a 400 only this one passes
    is_of_s3 = any(name.lower().startswith("x-amz") for name in response.headers)
    return "NoSuchKey" if response.status == 404 and is_of_s3 else ""


def error_of(body: bytes) -> tuple[str, str]:
    """The service's error code and message: JSON from SQS, XML from S3, nothing after a HEAD."""
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            return "", text[:200]
        code = str(document.get("__type", "")).rpartition("#")[2]
        return code, str(document.get("message") or document.get("Message") or "")
    code_found = re.search(r"<Code>([^<]*)</Code>", text)
    message_found = re.search(r"<Message>([^<]*)</Message>", text)
    return code_found[1] if code_found else "", message_found[1] if message_found else ""
