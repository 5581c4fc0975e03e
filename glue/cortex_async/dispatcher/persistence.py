"""Trying until AWS does it: for what must not be lost once the web server has done its work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cortex_async.errors import AwsRefused, ObjectExists, ObjectMissing

log = logging.getLogger(__name__)

T = TypeVar("T")
_LONGEST_PAUSE_SECONDS = 20.0


async def keep_trying(operation: Callable[[], Awaitable[T]]) -> T:
    """Return what `operation` returns, however often AWS refuses: a permission can be mended meanwhile.

    ObjectMissing and ObjectExists are answers, not refusals, and are raised.
    """
    pause = 1.0
    while True:
        try:
            return await operation()
        except (ObjectMissing, ObjectExists):
            raise
        except AwsRefused as error:
            log.error("AWS refuses a call; it is tried again", extra={"reason": str(error), "seconds": pause})
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
