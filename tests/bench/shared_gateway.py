"""What memory one gateway has that serves many APIs.

`PYTHONPATH=tests python -m bench.shared_gateway` serves 1, 100 and 1,000 APIs, submits requests to each, asks for
their status, and prints the memory of the process (resident set) before and after that, and its time to ready.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.processes import StandIn
from bench.usage import memory_mb
from support.api_document import api_document
from support.kubernetes_api import ApiServer, serving
from support.processes import Emulator, wait_until
from support.shared_gateway import SharedGateway

_AT_ONCE = 20


def put_apis(gateway: SharedGateway, stand_in: StandIn, count: int) -> list[str]:
    """Put so many APIs into the cluster, with their queues, and return their paths."""
    sqs = stand_in.client("sqs")
    paths = []
    for number in range(count):
        name, queue = f"api-{number:04}", f"test-api-{number:04}"
        sqs.create_queue(QueueName=queue)
        paths.append(f"/{name}")
        own = {"name": name, "queue": {"name": queue}, "gateway": {"endpoint": paths[-1]}}
        gateway.put(api_document({"aws": {"endpointUrl": stand_in.url}}, own))
    return paths


async def use(port: int, paths: list[str], rounds: int) -> None:
    """Submit to each API in every round, and ask for the status."""
    turns = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{port}") as http:

        async def call(path: str) -> None:
            async with turns, http.post(path, data=b"{}") as answer:
                request_id = (await answer.json())["id"]
            async with turns, http.get(f"{path}/{request_id}") as answer:
                assert (await answer.json())["status"] == "in_queue"

        for _ in range(rounds):
            await asyncio.gather(*map(call, paths))


def is_served(gateway: SharedGateway, count: int) -> bool:
    """Whether all queues have been found."""

    async def metrics() -> str:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{gateway.admin_port}/metrics") as answer,
        ):
            return await answer.text()

    lines = asyncio.run(metrics()).splitlines()
    return f'cortex_async_gateway_apis{{state="served"}} {count:.1f}' in lines


def measure(count: int, rounds: int, folder: Path) -> str:
    """Return a line about so many APIs."""
    stand_in = StandIn(folder)
    stand_in.client("s3").create_bucket(Bucket="bucket")
    with serving(ApiServer(), folder) as cluster:
        gateway = SharedGateway(cluster, stand_in, folder)
        paths = put_apis(gateway, stand_in, count)
        began = time.monotonic()
        process = gateway.start()
        try:
            gateway.is_ready()
            wait_until("all APIs to be served", lambda: is_served(gateway, count), process)
            took, idle = time.monotonic() - began, memory_mb(process.pid)
            asyncio.run(use(gateway.port, paths, rounds))
            return f"{count:>5}  {idle:>7.1f}  {memory_mb(process.pid):>7.1f}  {took:>6.2f}"
        finally:
            process.stop()
            stand_in.process.kill()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apis", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    os.environ.update(Emulator.credentials)
    print(" APIs  idle MB  used MB  ready s")
    for count in args.apis:
        with tempfile.TemporaryDirectory() as name:
            print(measure(count, args.rounds, Path(name)))


if __name__ == "__main__":
    main()
