"""What happens to a request: the table of design.md as pure decisions."""

import dataclasses
import email.utils
import enum
import json
import time
from collections.abc import Collection
from dataclasses import dataclass

from cortex_async import limits

_RETRIED = frozenset({408, 425, 429, 502, 503, 504})


class Action(enum.Enum):
    """What to do next."""

    COMPLETE = "store the response as the result"
    FAIL = "store a failed result"
    RETRY = "give the message back to the queue"
    DROP = "delete the message: there is a result"


class NoAnswer(enum.Enum):
    """Why the web server did not answer; the value is the failure's code and message."""

    REFUSED = ("connection_refused", "the container did not accept a connection")
    BROKEN = ("connection_broken", "the connection to the container broke before its response was complete")
    LOST = ("result_lost", "S3 gave up the upload of the result")
    TIMEOUT = ("timeout", "the container did not answer in time")


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, with what it needs: a failure's code and message, or the delay of a retry in seconds.

    A retry `counts` if this was an attempt; `is_suspect` says that the request may have broken the container.
    `content_type` is that of a result that is no JSON.
    """

    action: Action
    code: str = ""
    message: str = ""
    delay_seconds: int = 0
    dead_letter: bool = False
    counts: bool = True
    is_suspect: bool = False
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The document that a failed result holds (schemas/failure.schema.json)."""

    code: str
    message: str
    attempts: int
    status_code: int | None = None
    body: str | None = None

    def encode(self) -> bytes:
        """Return the document's bytes; parts that do not apply are left out."""
        document = {
            "code": self.code,
            "message": self.message,
            "attempts": self.attempts,
            "status_code": self.status_code,
            "body": self.body,
        }
        return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


@dataclass(frozen=True, slots=True)
class Attempts:
    """Where a request stands: this attempt (from 1 on), and how many there may be."""

    current: int
    maximum: int

    @property
    def is_last(self) -> bool:
        """Whether no attempt follows this one."""
        return self.current >= self.maximum


def on_receive(attempts: Attempts, receive_count: int) -> Decision | None:
    """Decide about a message before anything is sent; None: go on."""
    if attempts.current <= attempts.maximum and receive_count <= limits.receive_limit(attempts.maximum):
        return None
    message = (
        f"the request was attempted {attempts.current - 1} times and never answered: "
        "each time its pod was killed, or lost its connection to the queue"
    )
    return Decision(Action.FAIL, "attempts_exhausted", message, dead_letter=True)


def on_wait(seconds: float, ttl_seconds: int | None) -> Decision | None:
    """Decide about a request that was submitted so many seconds ago, before an attempt; None: go on."""
    if ttl_seconds is None or seconds <= ttl_seconds:
        return None
    return Decision(Action.FAIL, "expired", f"the request was not begun within {ttl_seconds} s, as it asked to be")


def on_response(
    status: int,
    content_type: str,
    retry_after: str | None,
    attempts: Attempts,
    retry_on: Collection[int] = (),
    result_types: Collection[str] = (),
) -> Decision:
    """Decide by the head of a response.

    A COMPLETE without a `content_type` holds only if the body is JSON (`on_invalid_json`). Other results are of
    `result_types`, as in an Accept header.
    """
    if 200 <= status < 300:
        if is_json(content_type):
            return Decision(Action.COMPLETE)
        if _is_one_of(content_type, result_types):
            return Decision(Action.COMPLETE, content_type=content_type)
        came = f"Content-Type {content_type!r}" if content_type else "no Content-Type"
        return Decision(
            Action.FAIL, "invalid_result", f"expected a response with Content-Type application/json, found {came}"
        )
    if status in _RETRIED or status in retry_on:
        if not attempts.is_last:
            return Decision(Action.RETRY, delay_seconds=retry_delay(attempts, retry_after))
        message = f"the container answered {status}, at the last of {attempts.maximum} attempts"
        return Decision(Action.FAIL, "unavailable", message)
    code = "server_error" if status >= 500 else "rejected" if status >= 400 else "unexpected_status"
    return Decision(Action.FAIL, code, f"the container answered {status}; 200 is expected")


def on_invalid_json(reason: str) -> Decision:
    """Decide about a 2xx response whose body is not JSON."""
    return Decision(Action.FAIL, "invalid_result", f"the response is not valid JSON: {reason}")


def on_invalid_response(reason: str) -> Decision:
    """Decide about a response that is no HTTP, or in a content coding that cannot be undone."""
    return Decision(Action.FAIL, "invalid_response", f"the response cannot be read: {reason}")


def on_too_large_result(reason: str) -> Decision:
    """Decide about a result that S3 cannot hold."""
    return Decision(Action.FAIL, "result_too_large", reason)


def on_missing_payload() -> Decision:
    """Decide about a message whose payload is no longer in the bucket."""
    return Decision(Action.FAIL, "payload_missing", "the payload is not in the bucket; was it deleted there?")


def on_damaged_payload() -> Decision:
    """Decide about a message whose payload is not what was stored."""
    message = "the payload in the bucket has another size than the request had; was it replaced, or restored?"
    return Decision(Action.FAIL, "payload_damaged", message)


def on_forbidden_reference() -> Decision:
    """Decide about a payload by reference that is not below an allowed prefix (any more)."""
    message = "the object that is the payload is not below one of gateway.payloadReferences"
    return Decision(Action.FAIL, "payload_not_allowed", message)


def on_missing_reference() -> Decision:
    """Decide about a payload by reference whose object is gone."""
    return Decision(Action.FAIL, "payload_missing", "the object that is the payload is not there any more")


def on_changed_reference() -> Decision:
    """Decide about a payload by reference whose object is another than at the submission."""
    message = "the object that is the payload was replaced since the request was submitted"
    return Decision(Action.FAIL, "payload_changed", message)


def on_unreadable_reference(attempts: Attempts, status: int) -> Decision:
    """Decide about a payload by reference that S3 does not give the dispatcher: a permission may be mended."""
    if not attempts.is_last:
        return Decision(Action.RETRY, delay_seconds=retry_delay(attempts, None))
    message = (
        f"the object that is the payload cannot be read (HTTP {status}), at the last of {attempts.maximum} "
        "attempts: it is gone, or the dispatcher's role lacks s3:GetObject"
    )
    return Decision(Action.FAIL, "payload_unreadable", message)


def on_cancelled() -> Decision:
    """Decide about an attempt that was broken off, since the request was cancelled."""
    return Decision(Action.DROP, "cancelled")


def on_no_answer(kind: NoAnswer, attempts: Attempts) -> Decision:
    """Decide about an attempt that brought no complete response."""
    code, message = kind.value
    if kind is NoAnswer.TIMEOUT:
        return Decision(Action.FAIL, code, message)
    if not attempts.is_last:
        return Decision(Action.RETRY, delay_seconds=retry_delay(attempts, None))
    return Decision(Action.FAIL, code, f"{message}, at the last of {attempts.maximum} attempts", dead_letter=True)


def on_broken(attempts: Attempts, *, is_own_fault: bool, jitter: float) -> Decision:
    """Decide about a connection that broke under a request; `jitter` is from 0 to 1.

    The delays spread, since all that were in a container that crashed come back.
    """
    delay = round(retry_delay(attempts, None) * (1 + 2 * jitter))
    if not is_own_fault:
        return Decision(Action.RETRY, delay_seconds=delay, counts=False, is_suspect=True)
    decision = on_no_answer(NoAnswer.BROKEN, attempts)
    if decision.action is not Action.RETRY:
        return decision
    return dataclasses.replace(decision, delay_seconds=delay, is_suspect=True)


def on_unready(attempts: Attempts, *, is_suspect: bool) -> Decision:
    """Decide about a request that was not sent, since the container was not ready again in time."""
    delay = retry_delay(attempts, None)
    return Decision(Action.RETRY, delay_seconds=delay, counts=False, is_suspect=is_suspect)


def is_json(content_type: str) -> bool:
    """Whether a Content-Type names JSON: application/json, or a type with the suffix +json (RFC 6839)."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _is_one_of(content_type: str, types: Collection[str]) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    main_type, slash, _ = media_type.partition("/")
    return bool(slash) and content_type.isascii() and bool({media_type, f"{main_type}/*", "*/*"} & set(types))


def retry_delay(attempts: Attempts, retry_after: str | None, now: float | None = None) -> int:
    """Seconds until the next attempt: what Retry-After asks for, at most 15 min, else 1, 2, 4, … 60.

    A Retry-After of none, or in the past, is no reason to make all attempts at once.
    """
    asked = _parse_retry_after(retry_after, time.time() if now is None else now)
    if asked is not None and asked > 0:
        return min(asked, limits.RETRY_AFTER_MOST_SECONDS)
    return int(min(limits.RETRY_DELAY_MOST_SECONDS, 2 ** (attempts.current - 1)))


def _parse_retry_after(value: str | None, now: float) -> int | None:
    """RFC 9110, section 10.2.3: a number of seconds, or a date; anything else counts for nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return int(value.strip()[:9])
    try:
        return int(email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
