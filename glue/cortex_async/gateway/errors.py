"""Every way a call can go wrong, as the JSON document and status that the client gets."""

import logging
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from cortex_async.connection import error_document
from cortex_async.errors import AwsRefused, AwsUnavailable, CortexError

log = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = "5"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rejected(CortexError):
    """The client's call cannot be taken; `status` is HTTP's, `code` says the same in a word."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@web.middleware
async def as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into a response."""
    try:
        return await handler(request)
    except Rejected as error:
        return error_document(error.status, error.code, str(error))
    except web.HTTPException as error:
        code = error.reason.lower().replace(" ", "_")
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return error_document(error.status, code, f"{request.method} {request.path}: {error.reason}", allow)
    except AwsUnavailable as error:
        log.warning("a call failed", extra={"reason": str(error)})
        message = "the queue or the bucket cannot be reached; nothing was accepted, try again"
        return error_document(503, "unavailable", message, {"Retry-After": _RETRY_AFTER_SECONDS})
    except AwsRefused as error:
        log.error("a call failed; it will fail again until this is mended", extra={"reason": str(error)})
        return error_document(500, "refused_by_aws", f"AWS refuses the gateway a call it needs: {error}")
    except (aiohttp.ClientError, web.RequestPayloadError, ConnectionError) as error:
        log.info("a client went away", extra={"reason": type(error).__name__})
        return error_document(400, "incomplete_body", "the body ended before its announced length")
