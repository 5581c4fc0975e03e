"""An object read piece by piece; a connection that breaks is taken up again where it broke."""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from cortex_async import limits
from cortex_async.backoff import Backoff, RetryPolicy
from cortex_async.errors import AwsUnavailable, ObjectDamaged

OpenFrom = Callable[[int], Awaitable[aiohttp.ClientResponse]]
"""Opens the object from a byte on, its body unread."""


async def pieces(
    open_from: OpenFrom,
    size: int,
    policy: RetryPolicy,
    response: aiohttp.ClientResponse | None = None,
    start: int = 0,
) -> AsyncIterator[bytes]:
    """Read from byte `start` to before byte `size`, beginning with `response` if it is open already.

    Raises ObjectDamaged when what is opened ends elsewhere, and what opening it raises.
    """
    done = start
    backoff = None  # from the first break on that brought nothing more
    while True:
        if response is None:
            response = await open_from(done)
        left = response.content_length
        if left is not None and done + left != size:
            response.close()
            message = f"the object has {done + left} bytes, and {size} were expected"
            raise ObjectDamaged("GetObject", response.status, "WrongSize", message)
        problem: Exception | None = None
        try:
            async with response:
                async for piece in response.content.iter_chunked(limits.PIECE_BYTES):
                    done += len(piece)
                    backoff = None
                    yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = error
        if done >= size:
            return
        response = None
        backoff = backoff or Backoff(policy.seconds)
        broken = AwsUnavailable("GetObject", f"the connection broke after {done} of {size} bytes")
        broken.__cause__ = problem
        await backoff.pause(broken)
