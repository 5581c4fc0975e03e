"""Submit one request to a running API and wait for its result: what `helm test` runs."""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from cortex_async.errors import CortexError

_PAUSE_SECONDS = 0.5
_CALL_SECONDS = 30.0


class SmokeError(CortexError):
    """The API did not answer as it should, or its result was not there in time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--url", required=True, help="URL that requests are posted to")
    parser.add_argument("--payload", default="{}", help="payload of the request (default: {})")
    parser.add_argument("--content-type", default="application/json", help="(default: application/json)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds until the result must be there")


def run(args: argparse.Namespace) -> int:
    """Print the result; 0 when it is completed, 1 when the request failed. Raises SmokeError."""
    deadline = time.monotonic() + args.timeout
    submitted = _call(
        urllib.request.Request(  # noqa: S310 (a URL that the user gave)
            args.url, args.payload.encode(), {"Content-Type": args.content_type}, method="POST"
        ),
        deadline,
    )
    url = f"{args.url}/{submitted.get('id')}"
    print(f"submitted as {submitted.get('id')}", file=sys.stderr)
    while (answer := _call(urllib.request.Request(url), deadline)).get("status") in {"in_queue", "in_progress"}:  # noqa: S310
        if time.monotonic() > deadline:
            raise SmokeError(f"{url} is still {answer['status']} after {args.timeout:g} s")
        time.sleep(_PAUSE_SECONDS)
    print(json.dumps(answer))
    return 0 if answer.get("status") == "completed" else 1


def _call(request: urllib.request.Request, deadline: float) -> dict[str, Any]:
    """Do one call; while the gateway cannot be reached, or is not ready (5xx), try again until the deadline."""
    while True:
        try:
            with urllib.request.urlopen(request, timeout=_CALL_SECONDS) as response:  # noqa: S310
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > deadline:
                body = error.read(4096).decode(errors="replace")
                raise SmokeError(
                    f"{request.get_method()} {request.full_url} answered {error.code}: {body}"
                ) from error
        except OSError as error:
            if time.monotonic() > deadline:
                raise SmokeError(f"{request.full_url} cannot be reached: {error}") from error
        except ValueError as error:
            raise SmokeError(f"{request.full_url} did not answer with JSON") from error
        else:
            if isinstance(answer, dict):
                return answer
            raise SmokeError(f"{request.full_url} answered {answer!r} where an object was expected")
        time.sleep(_PAUSE_SECONDS)
