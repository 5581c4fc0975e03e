"""The shared gateway as a process."""

import argparse
import asyncio

import aiohttp

from cortex_async import metrics
from cortex_async.aws.client import AwsSession
from cortex_async.config import AwsConfig
from cortex_async.gateway.memory import within_limits
from cortex_async.gateway.shared import admin
from cortex_async.gateway.shared.apis import Apis, Opener
from cortex_async.gateway.shared.app import Readiness, SharedGateway
from cortex_async.gateway.shared.watch import Cluster, Watcher
from cortex_async.http.server import listening, started, stop_signal

_NO_CALLS = AwsConfig("us-east-1", None)
"""Of the session that holds what the sessions of all APIs share, and makes no call itself."""


async def serve(args: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; raises CannotListen."""
    stop = stop_signal()
    registry = metrics.new_registry()
    namespaces: list[str | None] = [*args.namespaces] or [None]
    async with AwsSession(_NO_CALLS) as session, aiohttp.ClientSession() as http:
        budget, guard = within_limits()
        apis = Apis(Opener(session, budget, args.stall_timeout).open)
        admin.SharedReadings(registry, apis)
        gateway = SharedGateway(apis, Readiness(apis, namespaces))
        cluster = Cluster(http, args.server, args.account)
        async with (
            listening(gateway.application(), args.port, args.stall_timeout, guard),
            listening(admin.application(registry, apis), args.admin_port),
        ):
            watching = [asyncio.create_task(Watcher(cluster, each, apis).run()) for each in namespaces]
            stopping = asyncio.create_task(stop.wait())
            started()
            done, _ = await asyncio.wait({stopping, *watching}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a watcher ends by a defect only
            gateway.stopping = True
            for api in apis.all():
                api.gateway.stop_waiting()
            await asyncio.sleep(args.shutdown_delay)
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            apis.close()
