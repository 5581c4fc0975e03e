"""The body of a container's response: checked to be JSON while it comes, or cut to an excerpt."""

from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp

from cortex_async import limits
from cortex_async.dispatcher.json_validator import JsonValidator, check
from cortex_async.http.content_coding import decoded, is_coded


def is_small(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is known to be short, so that it is read and checked in one go."""
    size = response.content_length
    return size is not None and size <= limits.PIECE_BYTES and not is_coded(response)


async def read_json(response: aiohttp.ClientResponse) -> bytes:
    """Read a small body; raises InvalidJson."""
    body = await response.read()
    check(body)
    return body


async def json_pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Read a body of any size in pieces; raises InvalidJson at the latest where they end."""
    validator = JsonValidator()
    async for piece in decoded(response):
        validator.feed(piece)
        yield piece
    validator.close()


async def excerpt(response: aiohttp.ClientResponse) -> str:
    """Return the first 4 KiB of an error response, or what came of them: its head has decided already."""
    begun = bytearray()
    with suppress(aiohttp.ClientError, OSError):
        async for piece in decoded(response):
            begun += piece
            if len(begun) >= limits.BODY_EXCERPT_BYTES:
                response.close()
                break
    return bytes(begun[: limits.BODY_EXCERPT_BYTES]).decode("utf-8", "replace")
