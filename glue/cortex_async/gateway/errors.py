"""Every way a call can go wrong, as the JSON document and status that the client gets."""

import logging
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from cortex_async import limits
from cortex_async.errors import AwsRefused, AwsUnavailable, CortexError, QueueMissing
from cortex_async.http.connection import error_document
from cortex_async.http.headers import REQUEST_ID
from cortex_async.storage.memory_budget import NoMemory
from cortex_async.storage.protocol import DamagedResult

log = logging.getLogger(__name__)

_AGAIN = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ID = web.RequestKey("id", str)
"""What a call is about, as an item of its `web.Request`: the id of a request, once it is known."""


class Rejected(CortexError):
    """The client's call cannot be taken; `status` is HTTP's, `code` says the same in a word."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers
        self.status = status
        self.code = code


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into a response; each tells the id of the request that it is about."""
    try:
        response = await handler(request)
    except (Rejected, NoMemory) as error:  # under no other name: frames would hold it, and it the request
        response = _rejection(error)
    except AwsUnavailable as error:
        log.warning("a call failed", extra={"reason": str(error)})
        message = f"the queue or the bucket cannot be reached; {_accepted(error)}"
        response = error_document(503, "unavailable", message, _AGAIN)
    except AwsRefused as error:
        log.error("a call failed; it will fail again until this is mended", extra={"reason": str(error)})
        response = error_document(500, "refused_by_aws", f"AWS refuses the gateway a call it needs: {error}")
    except DamagedResult as error:
        log.error("a result cannot be told", extra={"path": request.path, "reason": str(error)})
        response = error_document(500, "damaged_result", str(error))
    except (aiohttp.ClientError, web.RequestPayloadError, ConnectionError) as error:
        log.info("a client went away", extra={"reason": type(error).__name__})
        response = error_document(400, "incomplete_body", "the body ended before its announced length")
    if ID in request and not response.prepared:
        response.headers[REQUEST_ID] = request[ID]
    return response


def _rejection(error: Rejected | NoMemory) -> web.Response:
    if isinstance(error, Rejected):
        return error_document(error.status, error.code, str(error), error.headers)
    return error_document(503, "busy", f"{error}; nothing was accepted, try again", _AGAIN)


def _accepted(error: AwsUnavailable) -> str:
    """Say what became of a submission: the queue may have taken it, and only the answer been lost."""
    if error.operation == "SendMessageBatch" and not isinstance(error, QueueMissing):
        return "it is not known whether the request was accepted; submitting it again may run it twice"
    return "nothing was accepted, try again"
