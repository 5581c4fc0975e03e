"""The payload and the result of `--once`, and waiting for the processes that local mode starts."""

import asyncio
import json
import mimetypes
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from cortex_async.errors import CortexError
from cortex_async.smoke import FinishedRequest

_FIRST_PAUSE_SECONDS = 0.02
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
_LONGEST_PAUSE_SECONDS = 0.5


class PayloadError(CortexError):
    """The payload cannot be read."""


@dataclass(frozen=True)
class Payload:
    """The body of a request and what it is."""

    body: bytes
    content_type: str


@dataclass(frozen=True)
class Outcome:
    """How a request ended: its status, and the exact JSON text of its result, or of its error when it failed."""

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


async def wait_until_answers(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until something answers HTTP at the URL, whatever it says."""

    async def answers() -> bool:
        async with session.get(url) as answer:
            await answer.read()
            return True

    await _until(answers)


async def wait_until_ready(session: aiohttp.ClientSession, url: str, waiting_for: list[str]) -> None:
    """Wait until a `/readyz` answers 200; `waiting_for` is kept up to date with what it names."""

    async def is_ready() -> bool:
        async with session.get(url) as answer:
            if answer.status == 200:
                return True
            document = await answer.json(content_type=None)
            waiting_for[:] = [str(each) for each in document.get("waiting_for", ())]
            return False

    await _until(is_ready)


async def wait_until_none_in_flight(session: aiohttp.ClientSession, endpoint_url: str, queue: str) -> None:
    """Wait until every message of a queue that was received is deleted or visible again; for the emulator only."""

    async def ask(operation: str, body: Mapping[str, Any]) -> Any:
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        async with session.post(endpoint_url, json=body, headers=headers) as answer:
            return await answer.json(content_type=None)

    async def is_empty() -> bool:
        url = (await ask("GetQueueUrl", {"QueueName": queue}))["QueueUrl"]
        found = await ask("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": [_IN_FLIGHT]})
        return str(found["Attributes"][_IN_FLIGHT]) == "0"

    await _until(is_empty)


def outcome(finished: FinishedRequest) -> Outcome:
    """Return how a request ended, with the document that the gateway's answer has for it."""
    document = "result" if finished.status == "completed" else "error"
    return Outcome(finished.status, raw_fields(finished.answer)[document])


def raw_fields(text: str) -> Mapping[str, str]:
    """Return the fields of a JSON object as the text each was written in, so that no digit of a number is lost."""
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


async def _until(is_true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is true, a little less often each time; no answer counts as false."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        with suppress(aiohttp.ClientError, TimeoutError):
            if await is_true():
                return
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE_SECONDS)


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
