"""Requests to an API: submitted, looked at, waited for, cancelled.

A gateway may know more than the plain API, or not: `Prefer: wait` and `?wait=` (one that does not is polled, with
growing pauses), `Idempotency-Key` (without it a submission of unknown fate is not repeated) and DELETE (without it
cancelling raises NotSupported).
"""

from __future__ import annotations

import json
import time
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any

from cortex import transport
from cortex.exceptions import (
    GatewayUnavailable,
    NotSupported,
    RequestCancelled,
    RequestEnded,
    RequestFailed,
    RequestNotFound,
    RequestRefused,
    ResultTimeout,
    SubmissionUncertain,
)

_CALL_SECONDS = 60.0
_BYTES_SECONDS = 600.0  # without a byte of a result
_TRIES = 5
_LONGEST_WAIT_SECONDS = 60  # of one GET: load balancers end a connection on which nothing moves for 60 s
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LONGEST_RETRY_AFTER_SECONDS = 60.0
_PASSING = {408, 429, 502, 503, 504}
_ENDED = {"completed", "failed", "cancelled", "expired"}


class Request:
    """A request that a gateway has accepted: `id` names it, `url` tells its status."""

    def __init__(self, request_id: str, url: str, document: Mapping[str, Any] | None = None) -> None:
        self.id = request_id
        self.url = url
        self._ended = document if document and document.get("status") in _ENDED else None

    def __repr__(self) -> str:
        return f"Request({self.id!r}, {self.url!r})"

    def status(self) -> str:
        """Return `in_queue`, `in_progress`, `completed`, `failed`, or what else the gateway says."""
        return str(self.look()["status"])

    def result(self, timeout: float | None = None) -> Any:
        """Wait until the request has ended, and return its result.

        Raises RequestFailed, RequestCancelled, RequestNotFound, and ResultTimeout after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        tries = 0
        while True:
            left = _LONGEST_WAIT_SECONDS if deadline is None else deadline - time.monotonic()
            wait = int(max(0, min(left, _LONGEST_WAIT_SECONDS)))
            began = time.monotonic()
            document = self.look_patiently(wait)
            if document is not None and document["status"] in _ENDED:
                return self.outcome(document)
            if deadline is not None and time.monotonic() >= deadline:
                raise self.too_late(timeout)
            if time.monotonic() - began < wait / 2:  # the gateway did not wait
                pause = self.pause(tries)
                time.sleep(pause if deadline is None else max(0, min(pause, deadline - time.monotonic())))
                tries += 1

    def cancel(self) -> None:
        """Ask for the request to be cancelled. Raises RequestEnded, RequestNotFound, and NotSupported."""
        answer = _call("DELETE", self.url)
        if answer.status == 405:
            raise NotSupported("this gateway cannot cancel requests: its version knows no DELETE")
        if answer.status == 409:
            raise RequestEnded(_message(answer), answer.status, "ended")
        if answer.status not in {200, 202, 204}:
            raise _refusal(answer)

    def look(self, wait: int = 0) -> Mapping[str, Any]:
        """Return the document of the request, up to `wait` seconds later when it can wait for the end."""
        if self._ended is not None:
            return self._ended
        url = f"{self.url}?wait={wait}" if wait else self.url
        answer = _call("GET", url, timeout=_CALL_SECONDS + wait)
        document = answer.json()
        if answer.status not in {200, 202} or not isinstance(document, dict) or "status" not in document:
            raise _refusal(answer)
        if document["status"] in _ENDED:
            self._ended = document
        return document

    def look_patiently(self, wait: int = 0) -> Mapping[str, Any] | None:
        """Look, and return None when the gateway is away for the moment."""
        try:
            return self.look(wait)
        except GatewayUnavailable:
            return None

    def _bytes(self) -> bytes:
        answer = _call("GET", f"{self.url}/result", timeout=_BYTES_SECONDS)
        if answer.status != 200:
            raise _refusal(answer)
        return answer.body

    def outcome(self, document: Mapping[str, Any]) -> Any:
        """Return the result of a request that has ended, as bytes if it is no JSON; raises RequestFailed."""
        status = document["status"]
        if status == "completed" and "result_url" in document:
            return self._bytes()
        if status == "completed":
            return document.get("result")
        error = document.get("error") or {}
        kind = RequestCancelled if status == "cancelled" else RequestFailed
        reason = error.get("message") or "no reason was given"
        raise kind(f"request {self.id} {_HOW.get(status, status)}: {reason}", status, error)

    def too_late(self, timeout: float | None) -> ResultTimeout:
        """Return the error for a request that goes on."""
        return ResultTimeout(f"request {self.id} has not ended within {timeout:g} s; it goes on, ask again later")

    def pause(self, tries: int) -> float:
        """Return how long to wait before looking again, in seconds."""
        return transport.pause_seconds(tries, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)


_HOW = {"failed": "failed", "cancelled": "was cancelled", "expired": "expired"}


def encode(payload: Any, content_type: str | None) -> tuple[bytes, str]:
    """Return a payload's bytes and content type: bytes and text as they are, all else as JSON."""
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload), content_type or "application/octet-stream"
    if isinstance(payload, str):
        return payload.encode(), content_type or "text/plain; charset=utf-8"
    return json.dumps(payload).encode(), content_type or "application/json"


def submit(
    endpoint: str,
    payload: Any,
    *,
    content_type: str | None = None,
    wait: int | None = None,
    idempotency_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> Request:
    """Submit a request to the API at `endpoint`; every try carries the same idempotency key.

    Raises RequestRefused, GatewayUnavailable (nothing was accepted), and SubmissionUncertain.
    """
    body, kind = encode(payload, content_type)
    sent = {
        **transport.credentials(),
        **(headers or {}),
        "Content-Type": kind,
        "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
    }
    if wait:
        sent["Prefer"] = f"wait={int(wait)}"
    url = f"{endpoint}?{urllib.parse.urlencode(query)}" if query else endpoint
    uncertain = False
    for tries in range(_TRIES):
        pause = transport.pause_seconds(tries, 0.5, 8.0)
        try:
            answer = transport.call("POST", url, timeout=_CALL_SECONDS + (wait or 0), body=body, headers=sent)
        except transport.NoAnswer as error:
            reason, may_run = str(error), error.sent
        else:
            if answer.status not in _PASSING:
                return _accepted(endpoint, answer)
            reason, may_run = f"HTTP {answer.status}: {_message(answer)}", answer.status != 429
            pause = _retry_after(answer) or pause
        uncertain = uncertain or may_run
        if uncertain and not _knows_idempotency_keys(endpoint):
            raise SubmissionUncertain(
                f"it is not known whether {endpoint} accepted the request ({reason}), and its gateway knows no "
                "idempotency keys: submitted again, it may run twice"
            )
        if tries + 1 < _TRIES:
            time.sleep(pause)
    kind_of_error = SubmissionUncertain if uncertain else GatewayUnavailable
    raise kind_of_error(
        f"{endpoint} did not take the request in {_TRIES} tries ({reason}); "
        f"to go on, submit it with idempotency_key={sent['Idempotency-Key']!r}"
    )


def _accepted(endpoint: str, answer: transport.Answer) -> Request:
    document = answer.json()
    if answer.status not in {200, 201, 202} or not isinstance(document, dict) or "id" not in document:
        raise _refusal(answer)
    request_id = str(document["id"])
    return Request(request_id, f"{endpoint}/{urllib.parse.quote(request_id, safe='')}", document)


def _knows_idempotency_keys(endpoint: str) -> bool:
    """Tell whether the gateway is of the version that came with both DELETE and idempotency keys.

    No request has the id that is asked for, so nothing is cancelled: 404 from a gateway that knows the call, and
    405 from one that does not. One that is away is taken for one that does: trying again is how to learn more.
    """
    try:
        answer = transport.call("DELETE", f"{endpoint}/none", timeout=10, headers=transport.credentials())
        return answer.status != 405
    except transport.NoAnswer:
        return True


def _call(method: str, url: str, timeout: float = _CALL_SECONDS) -> transport.Answer:
    """Make a call that may be repeated, and repeat it while the gateway is away for the moment."""
    for tries in range(_TRIES):
        try:
            answer = transport.call(method, url, timeout=timeout, headers=transport.credentials())
        except transport.NoAnswer as error:
            reason: str = str(error)
        else:
            if answer.status not in _PASSING:
                return answer
            reason = f"HTTP {answer.status}: {_message(answer)}"
        if tries + 1 < _TRIES:
            time.sleep(transport.pause_seconds(tries, 0.2, 2.0))
    raise GatewayUnavailable(f"{url} did not answer in {_TRIES} tries ({reason})")


def _refusal(answer: transport.Answer) -> RequestRefused:
    document = answer.json()
    error = document.get("error") if isinstance(document, dict) else None
    code = str(error.get("code", "")) if isinstance(error, dict) else ""
    kind = RequestNotFound if answer.status == 404 else RequestRefused
    return kind(f"the gateway refused the call: {_message(answer)} (HTTP {answer.status})", answer.status, code)


def _message(answer: transport.Answer) -> str:
    document = answer.json()
    if isinstance(document, dict):
        error = document.get("error")
        found = error.get("message") if isinstance(error, dict) else document.get("detail")
        if found:
            return str(found)
    return answer.body[:200].decode(errors="replace").strip() or "no reason was given"


def _retry_after(answer: transport.Answer) -> float | None:
    try:
        return min(float(answer.headers.get("retry-after", "")), _LONGEST_RETRY_AFTER_SECONDS)
    except ValueError:
        return None
