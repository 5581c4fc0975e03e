"""Waiting for the processes that local mode starts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from cortex_async import limits

_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"


async def wait_until_answers(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until something answers HTTP at the URL, whatever it says."""

    async def answers() -> bool:
        async with session.get(url) as answer:
            await answer.read()
            return True

    await _until(answers)


async def wait_until_ready(session: aiohttp.ClientSession, url: str, waiting_for: list[str]) -> None:
    """Wait until a `/readyz` answers 200; meanwhile, copy what it waits for into `waiting_for`."""

    async def is_ready() -> bool:
        async with session.get(url) as answer:
            if answer.status == 200:
                return True
            document = await answer.json(content_type=None)
            waiting_for[:] = [str(each) for each in document.get("waiting_for", ())]
            return False

    await _until(is_ready)


async def wait_until_none_in_flight(session: aiohttp.ClientSession, endpoint_url: str, queue: str) -> None:
    """Wait until the queue has no messages in flight; for the emulator only."""

    async def ask(operation: str, body: Mapping[str, Any]) -> Any:
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        async with session.post(endpoint_url, json=body, headers=headers) as answer:
            return await answer.json(content_type=None)

    async def is_empty() -> bool:
        url = (await ask("GetQueueUrl", {"QueueName": queue}))["QueueUrl"]
        found = await ask("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": [_IN_FLIGHT]})
        return str(found["Attributes"][_IN_FLIGHT]) == "0"

    await _until(is_empty)


async def _until(is_true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is true, with growing pauses. A failed call counts as false."""
    pause = limits.POLL_FIRST_SECONDS
    while True:
        with suppress(aiohttp.ClientError, TimeoutError):
            if await is_true():
                return
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, limits.POLL_LONGEST_SECONDS)
