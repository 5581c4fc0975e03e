"""Requests of all sorts: long and short, refused, retried, and one that kills its container."""

import asyncio
import random
import time

from support.stack import Client

REQUESTS_A_SECOND = 12


async def load(api: Client, seconds: float) -> None:
    """Submit and poll for that long, more in the middle than at the ends; then wait for what has not ended."""
    dice = random.Random(7)
    began = time.monotonic()
    tasks: list[asyncio.Task[None]] = []
    crashed = False
    while (spent := time.monotonic() - began) < seconds:
        query = _query(dice.random(), dice)
        if not crashed and spent > seconds / 3:
            query, crashed = "?crash=1", True
        tasks.append(asyncio.create_task(_one(api, query)))
        share = 1 - abs(2 * spent / seconds - 1)
        await asyncio.sleep(1 / (REQUESTS_A_SECOND * (0.3 + share)))
    await asyncio.gather(*tasks)


def _query(drawn: float, dice: random.Random) -> str:
    if drawn < 0.06:
        return "?status=418"
    if drawn < 0.12:
        return "?once=1&status=503&retry_after=1"
    return f"?sleep={dice.expovariate(2):.2f}"


async def _one(api: Client, query: str) -> None:
    request_id = await api.submit(b'{"n": 1}', query=query)
    if query.startswith("?status"):
        await api.get("no-id-of-this-api")
    await api.ended(request_id)
