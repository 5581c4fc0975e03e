"""The payload and the outcome of `--once`."""

import json
import mimetypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cortex_async.errors import CortexError
from cortex_async.smoke import FinishedRequest


class PayloadError(CortexError):
    """The payload cannot be read."""


@dataclass(frozen=True)
class Payload:
    """The body of a request and its content type."""

    body: bytes
    content_type: str


@dataclass(frozen=True)
class Outcome:
    """How a request ended: its status, and the exact JSON text of its result or error."""

    status: str
    document: str


def read_payload(argument: str, content_type: str | None) -> Payload:
    """Return the payload that `--once` names: the text itself, `@file`, or `-` for standard input."""
    try:
        if argument == "-":
            body = sys.stdin.buffer.read()
        elif argument.startswith("@"):
            body = Path(argument[1:]).read_bytes()
        else:
            body = argument.encode("utf-8", "surrogateescape")
    except OSError as error:
        raise PayloadError(f"the payload {argument} cannot be read: {error.strerror}") from error
    guess = mimetypes.guess_type(argument)[0] if argument.startswith("@") else None
    return Payload(body, content_type or guess or _guess_type(body))


def outcome_of(finished: FinishedRequest) -> Outcome:
    """Return the status and the document in the gateway's answer."""
    document = "result" if finished.status == "completed" else "error"
    return Outcome(finished.status, raw_fields(finished.answer)[document])


def raw_fields(text: str) -> Mapping[str, str]:
    """Return the text of each field of a JSON object, exactly as it was written."""
    decoder = json.JSONDecoder()
    fields: dict[str, str] = {}
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, start)
        fields[key] = text[start:end]
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return fields


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _guess_type(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    try:
        json.loads(text)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"
