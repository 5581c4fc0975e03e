"""Logs as JSON lines on standard error; payloads, headers and results never come here."""

import json
import logging
import os
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from cortex_async.errors import ConfigError

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_encode = json.JSONEncoder(default=str).encode
# version, trace id, parent id, flags; a later version may add to them (W3C Trace Context, section 3.2)
_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_api: ContextVar[str | None] = ContextVar("api", default=None)


def about_api(name: str) -> None:
    """Write the name of an API into every line of this task from now on."""
    _api.set(name)


def within_trace(traceparent: str | None) -> None:
    """Write the trace id of a `traceparent` (W3C Trace Context) into every line of this task from now on."""
    known = traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None
    if known is not _traceparent.get():
        _traceparent.set(known)


def current_traceparent() -> str | None:
    """Return what this task is within, if it was a valid one."""
    return _traceparent.get()


class JsonLines(logging.Formatter):
    """One record a line: time, level, message, trace id, the fields given by `extra`, and the traceback."""

    def __init__(self, component: str, api: str | None) -> None:
        super().__init__()
        self._common = {"component": component} | ({"api": api} if api else {})

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self._common,
        }
        if api := _api.get():
            line["api"] = api
        if traceparent := _traceparent.get():
            line["trace_id"] = traceparent.split("-")[1]
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line)


def configure(component: str, api: str | None) -> None:
    """Send all logging to standard error, from the level named by CORTEX_LOG_LEVEL (default: info) on.

    `api` is None where one process serves many: then `about_api` says which one a line is about.
    """
    name = os.environ.get("CORTEX_LOG_LEVEL", "info")
    level = logging.getLevelNamesMapping().get(name.upper())
    if level is None:
        raise ConfigError(f"CORTEX_LOG_LEVEL is {name!r}; it must be one of debug, info, warning, error")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(component, api))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("botocore", "boto3", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
