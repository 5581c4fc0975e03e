"""A client that submits as was recorded: so many requests each 10 s; prints when it began and how they ended."""

import asyncio
import collections
import json
import sys
import time
from typing import Any

import aiohttp

TICK_SECONDS = 10
RESULT_SECONDS = 240


async def main(url: str, arrivals: list[int], payload: dict[str, Any]) -> None:
    statuses: collections.Counter[str] = collections.Counter()

    async def one(http: aiohttp.ClientSession) -> None:
        async with http.post(url, json=payload) as response:
            request_id = (await response.json())["id"] if response.status == 200 else None
        if request_id is None:
            statuses["refused"] += 1
            return
        until = time.monotonic() + RESULT_SECONDS
        status = "lost"
        while status not in ("completed", "failed") and time.monotonic() < until:
            await asyncio.sleep(1)
            async with http.get(f"{url}/{request_id}") as response:
                status = (await response.json())["status"]
        statuses[status] += 1

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        began = time.monotonic()
        print(json.dumps({"began": time.time()}), flush=True)
        for tick, count in enumerate(arrivals):
            for number in range(count):
                due = began + TICK_SECONDS * (tick + number / count)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(one(http))
    print(json.dumps(statuses))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])))
