"""Every error of the client, under one base class; each message says what came and what to do.

`NotFound` and `CortexBinaryException` are names of the original client, kept for the code that catches them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CortexError(Exception):
    """Base class: the message is meant for the user."""


CortexBinaryException = CortexError
"""What the original raised when its command failed."""


class NotFound(CortexError):
    """An environment, an API or a request that is not there."""


class ConfigError(CortexError):
    """`cli.yaml` cannot be read, or is not what it should be."""


class ReadOnlyFolder(ConfigError):
    """The configuration folder cannot be written, as in a pod, where it is a Secret."""


class OperatorUnavailable(CortexError):
    """The operator did not answer, or with an error of the server's kind."""


class OperatorRefused(CortexError):
    """The operator refused a call; `kind` is its code, such as `resources.api_not_deployed`."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class ApiNotDeployed(OperatorRefused, NotFound):
    """No API has that name."""


class NotAllowed(OperatorRefused):
    """The operator does not allow the call: it needs a token, or is turned off."""


class VersionMismatch(OperatorRefused):
    """The client is of another version than the cluster."""


class NotSupported(CortexError):
    """This cluster, or this gateway, has no such call."""


class GatewayUnavailable(CortexError):
    """The gateway of an API did not answer; nothing was accepted."""


class SubmissionUncertain(GatewayUnavailable):
    """It is not known whether the gateway accepted a request, and submitting it again may run it twice."""


class RequestRefused(CortexError):
    """The gateway refused a call; `status` is HTTP's, `code` says the same in a word."""

    def __init__(self, message: str, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RequestNotFound(RequestRefused, NotFound):
    """The id is of no request of this API, or too old."""


class RequestEnded(RequestRefused):
    """The request cannot be cancelled: it has ended."""


class RequestFailed(CortexError):
    """A request has ended without a result; `status` says how, `document` is the error that its status holds."""

    def __init__(self, message: str, status: str, document: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.document = document


class RequestCancelled(RequestFailed):
    """A request was cancelled."""


class ResultTimeout(CortexError, TimeoutError):
    """A request had not ended in the time given; it goes on."""
