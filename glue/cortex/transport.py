"""One HTTP call with the standard library alone, and what can be known of a call that failed."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_NEVER_SENT = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)


@dataclass(frozen=True)
class Answer:
    """An HTTP response, its body read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class NoAnswer(Exception):
    """The call got no answer; `sent` says whether the server may have had the request."""

    def __init__(self, reason: BaseException, sent: bool) -> None:
        super().__init__(f"{getattr(reason, 'strerror', None) or reason or type(reason).__name__}")
        self.sent = sent


def call(
    method: str, url: str, *, timeout: float, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Make a call and return its answer, whatever its status; raises NoAnswer."""
    with _opened(method, url, timeout, body, headers) as answer:
        try:
            return Answer(
                answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.read()
            )
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(error, sent=True) from error


def lines(url: str, *, connect_timeout: float, headers: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the lines of an answer while they come. Raises NoAnswer; any status but 200 is one line's Answer."""
    with _opened("GET", url, connect_timeout, None, headers) as answer:
        if answer.status != 200:
            raise Refused(Answer(answer.status, {}, answer.read()))
        try:
            yield from answer
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(error, sent=True) from error


class Refused(Exception):
    """A stream was not begun: `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


@contextmanager
def _opened(
    method: str, url: str, timeout: float, body: bytes | None, headers: Mapping[str, str] | None
) -> Iterator[Any]:
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310
    try:
        answer = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310 (environments hold http URLs only)
    except urllib.error.HTTPError as error:
        answer = error
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, BaseException) else error
        raise NoAnswer(reason, sent=not isinstance(reason, _NEVER_SENT)) from error
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(error, sent=True) from error
    with answer:
        yield answer


def credentials() -> dict[str, str]:
    """Return the header that a gateway with API keys asks for: the key is in CORTEX_API_KEY."""
    key = os.environ.get("CORTEX_API_KEY", "").strip()
    return {"Authorization": f"Bearer {key}"} if key else {}


def pause_seconds(tries: int, first: float, longest: float) -> float:
    """Return how long to wait after that many tries: growing, and jittered, so that callers spread."""
    return random.uniform(0.5, 1.0) * min(longest, first * 2.0 ** min(tries, 30))
