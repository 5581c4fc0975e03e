"""What an outage of SQS and the end of a dispatcher cost in time, as requests see it in the container."""

import asyncio
import json
import time
from pathlib import Path

from bench.client import LoadClient, until
from bench.processes import BenchStack, StandIn

_REQUESTS = 200
_SLOTS = 4
_WORK_SECONDS = 0.1
_BEFORE_SECONDS = 1.0  # of work before the outage
_OUTAGE_SECONDS = 20.0


async def after_outage(stand_in: StandIn, folder: Path) -> tuple[float, float]:
    """Let SQS fail for 20 s while 200 requests are worked off.

    Returns the seconds from its end to the first request that then begins, and by how many the work took longer
    than the outage and the same work without one.
    """
    undisturbed, _ = await _work_off(stand_in, folder / "undisturbed", 0)
    seconds, first = await _work_off(stand_in, folder / "outage", _OUTAGE_SECONDS)
    return first, seconds - undisturbed - _OUTAGE_SECONDS


async def _work_off(stand_in: StandIn, folder: Path, outage_seconds: float) -> tuple[float, float]:
    """Return the seconds from the first begin to the last, and those from the outage's end to the next begin."""
    stack = BenchStack(stand_in, folder, {"pod": {"maxConcurrency": _SLOTS}})
    try:
        stack.provision()
        stack.web_server()
        stack.gateway()
        async with LoadClient(stack, 32) as client:
            ids = await client.submit(b'"x"', _REQUESTS, f"?sleep={_WORK_SECONDS}")
            stack.dispatcher()
            await asyncio.sleep(_BEFORE_SECONDS)
            stand_in.fail(outage_seconds)
            over = time.monotonic_ns() + outage_seconds * 1e9
            await until("the container to have served all", lambda: stack.served() >= _REQUESTS)
            await until("the queue to be empty", stack.is_drained)
            documents = await client.poll(ids)
    finally:
        stack.stop()
    begins = [document["result"]["received"] for document in documents]
    after = [each for each in begins if each >= over]
    assert after, "all requests had begun before the outage's end: nothing was measured"
    return (max(begins) - min(begins)) / 1e9, (min(after) - over) / 1e9


async def after_kill(stand_in: StandIn, folder: Path) -> float:
    """Kill a dispatcher whose request is in the container; return the seconds until another one sends it anew."""
    stack = BenchStack(stand_in, folder, {"pod": {"maxConcurrency": 1}})
    try:
        stack.provision()
        stack.web_server()
        stack.gateway()
        first = stack.dispatcher()
        async with LoadClient(stack, 1) as client:
            request_id = (await client.one(client.post(b'"x"', "?sleep=2")))["id"]
            await until("the container to have the request", lambda: stack.served() == 1)
            stack.end(first)
            killed = time.monotonic_ns()
            stack.dispatcher()
            await until("the container to have served it anew", lambda: stack.served() == 2)
            await until("the queue to be empty", stack.is_drained)
            (document,) = await client.poll([request_id])
    finally:
        stack.stop()
    assert document["status"] == "completed", json.dumps(document)
    return float(document["result"]["received"] - killed) / 1e9
