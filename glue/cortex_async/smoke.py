"""Submit one request to a running API and wait for its result: what `helm test` runs."""

import argparse
import asyncio
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from cortex_async import limits
from cortex_async.errors import CortexError


class SmokeError(CortexError):
    """The API did not answer as it should, or its result was not there in time."""


@dataclass(frozen=True)
class FinishedRequest:
    """How a request ended; `answer` is the exact JSON text of the gateway's answer."""

    status: str
    answer: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--url", required=True, help="URL that requests are posted to")
    parser.add_argument("--payload", default="{}", help="payload of the request (default: {})")
    parser.add_argument("--content-type", default="application/json", help="(default: application/json)")
    parser.add_argument("--api-keys", metavar="FOLDER", help="folder of API keys, a file each: the first is used")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds until the result must be there")


def run(args: argparse.Namespace) -> int:
    """Print the gateway's answer. Return 0 for a completed request, 1 for a failed one. Raises SmokeError."""
    finished = asyncio.run(_submit_and_wait(args))
    print(finished.answer)
    return 0 if finished.status == "completed" else 1


async def _submit_and_wait(args: argparse.Namespace) -> FinishedRequest:
    deadline = asyncio.get_running_loop().time() + args.timeout
    timeout = aiohttp.ClientTimeout(total=limits.SMOKE_CALL_SECONDS)
    headers = {"Authorization": f"Bearer {_first_key(Path(args.api_keys))}"} if args.api_keys else None
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True, headers=headers) as session:
        request_id = await submit(session, args.url, args.payload.encode(), args.content_type, deadline)
        print(f"submitted as {request_id}", file=sys.stderr)
        try:
            return await wait_for_result(session, f"{args.url}/{request_id}", deadline)
        except TimeoutError as error:
            raise SmokeError(f"{error} after {args.timeout:g} s") from error


def _first_key(folder: Path) -> str:
    try:
        return next(file.read_text().strip() for file in sorted(folder.iterdir()) if file.is_file())
    except (OSError, StopIteration) as error:
        raise SmokeError(f"expected a folder with a file for each API key, and at least one: {folder}") from error


async def submit(
    session: aiohttp.ClientSession, url: str, payload: bytes, content_type: str, deadline: float = -math.inf
) -> str:
    """Submit a request and return its id; raises SmokeError.

    Until `deadline`, a time of the event loop, it tries again while the gateway cannot be reached or answers 5xx.
    """
    headers = {"Content-Type": content_type}
    answer = await _call(session, "POST", url, deadline, data=payload, headers=headers)
    return str(json.loads(answer).get("id"))


async def wait_for_result(session: aiohttp.ClientSession, url: str, deadline: float = math.inf) -> FinishedRequest:
    """Wait until the request at the URL has ended; raises SmokeError, and TimeoutError after `deadline`."""
    pause = limits.POLL_FIRST_SECONDS
    while True:
        answer = await _call(session, "GET", url, deadline)
        status = json.loads(answer).get("status")
        if status not in {"in_queue", "in_progress"}:
            return FinishedRequest(str(status), answer)
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{url} is still {status}")
        pause = await _pause(pause)


async def _call(session: aiohttp.ClientSession, method: str, url: str, deadline: float, **options: Any) -> str:
    """Return the JSON text of an answer; until the deadline, try again what may succeed later."""
    pause = limits.POLL_FIRST_SECONDS
    while True:
        try:
            async with session.request(method, url, **options) as response:
                text = await response.text(errors="replace")
        except aiohttp.InvalidURL as error:
            raise SmokeError(f"expected a URL such as http://localhost:8888/name, got {url}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = SmokeError(f"{url} cannot be reached: {error!r}")
        else:
            if response.status < 300:
                return _json_object(url, text)
            problem = SmokeError(f"{method} {url} answered {response.status}: {text[:4096].strip()}")
            if response.status < 500:
                raise problem
        if asyncio.get_running_loop().time() > deadline:
            raise problem
        pause = await _pause(pause)


def _json_object(url: str, text: str) -> str:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SmokeError(f"{url} did not answer with JSON") from error
    if not isinstance(document, dict):
        raise SmokeError(f"{url} answered {document!r} where an object was expected")
    return text


async def _pause(seconds: float) -> float:
    """Sleep, and return how long to sleep the next time."""
    await asyncio.sleep(seconds)
    return min(seconds * 1.3, limits.POLL_LONGEST_SECONDS)
