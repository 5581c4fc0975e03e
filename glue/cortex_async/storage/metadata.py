"""What the objects of a request tell in their metadata: headers, which a writer of the bucket may change."""

import base64
import re
from collections.abc import Mapping

from cortex_async.aws.s3 import META
from cortex_async.storage.protocol import DamagedResult, Progress, ResultMetadata, Status

_JSON = "application/json"
_TYPE = f"{META}type"  # of a result that is no JSON: an object's own may be lost when it is copied
DEAD_LETTER = f"{META}dead-letter"
_SHARED = f"{META}shared"
_SUSPECT = f"{META}suspect"
_STARTED = f"{META}started"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)
_WAITING = f"{META}waiting"
_FRACTION = f"{META}progress"
_MESSAGE = f"{META}message"
CALLBACK = f"{META}callback"


def headers_of_progress(progress: Progress) -> dict[str, str]:
    """Return the headers of the PUT of an in_progress object."""
    headers = {f"{META}attempt": str(progress.attempt)}
    if progress.is_shared:
        headers[_SHARED] = "true"
    if progress.is_suspect:
        headers[_SUSPECT] = "true"
    if progress.is_waiting:
        headers[_WAITING] = "true"
    if progress.fraction is not None:
        headers[_FRACTION] = repr(progress.fraction)
    if progress.message is not None:  # metadata is ASCII
        headers[_MESSAGE] = base64.b64encode(progress.message.encode()).decode()
    return headers


def progress_of(headers: Mapping[str, str]) -> Progress:
    """Read an in_progress object; what is not told as it should be is untold, and the attempt the first."""
    attempt = headers.get(f"{META}attempt", "")
    return Progress(
        int(attempt) if attempt.isascii() and attempt.isdecimal() else 1,  # copied without its metadata
        _SHARED in headers,
        _SUSPECT in headers,
        _WAITING in headers,
        _fraction(headers.get(_FRACTION, "")),
        _message(headers.get(_MESSAGE)),
    )


def _fraction(text: str) -> float | None:
    try:
        fraction = float(text)
    except ValueError:
        return None
    return fraction if 0 <= fraction <= 1 else None


def _message(text: str | None) -> str | None:
    try:
        return None if text is None else base64.b64decode(text).decode("utf-8", "replace")
    except ValueError:
        return None


def headers_of_result(metadata: ResultMetadata) -> dict[str, str]:
    """Return the headers of the PUT of a result."""
    return {
        "content-type": metadata.content_type or _JSON,
        f"{META}status": metadata.status.value,
        f"{META}attempt": str(metadata.attempt),
        f"{META}finished": metadata.finished,
        **({_TYPE: metadata.content_type} if metadata.content_type else {}),
        **({DEAD_LETTER: "true"} if metadata.dead_letter else {}),
        **({_STARTED: metadata.started} if metadata.started else {}),
        **({CALLBACK: metadata.callback_url} if metadata.callback_url else {}),
    }


def _moment(text: str) -> str:
    """Check a moment without making a datetime of it, which each poll would pay for; raises ValueError."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"no moment of UTC: {text!r}")
    return text


def result_of(headers: Mapping[str, str]) -> ResultMetadata:
    """Read what is told of a result; raises DamagedResult."""
    try:
        return ResultMetadata(
            Status(headers[f"{META}status"]),
            int(headers[f"{META}attempt"]),
            _moment(headers[f"{META}finished"]),
            DEAD_LETTER in headers,
            _moment(headers[_STARTED]) if _STARTED in headers else None,
            headers.get(_TYPE, ""),
            int(headers.get("Content-Length", 0)),
            headers.get("ETag", ""),
            headers.get(CALLBACK),
        )
    except (KeyError, ValueError) as error:
        raise DamagedResult(
            f"the result's object has no valid {META}status, {META}attempt and {META}finished; "
            "was it copied or restored without its metadata?"
        ) from error
