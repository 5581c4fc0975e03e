"""The dispatcher as a process: start, run, drain."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import S3
from cortex_async.config import ApiConfig
from cortex_async.dispatcher.admin import Admin
from cortex_async.dispatcher.feeder import Feeder
from cortex_async.dispatcher.probes import Readiness
from cortex_async.dispatcher.target import Target
from cortex_async.http.server import listening, started, stop_signal
from cortex_async.queue.queue import Queue, keep_finding
from cortex_async.storage.store import Store

log = logging.getLogger(__name__)

_EXIT_SECONDS = 1.0  # of the grace period: for closing connections and ending the process


async def serve(config: ApiConfig) -> None:
    """Feed the pod until SIGTERM or SIGINT, then drain; raises CortexError when the admin port is taken."""
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(AwsSession(config.aws))
        target = Target(config.pod.port)
        stack.push_async_callback(target.close)
        readiness = Readiness(config.probes, target.http)
        admin = Admin(readiness)
        await stack.enter_async_context(listening(admin.application(), config.dispatcher.admin_port))
        background: set[asyncio.Task[Any]] = {
            asyncio.create_task(readiness.run()),
            asyncio.create_task(stop.wait()),
        }
        stack.push_async_callback(_end, background)
        finding = asyncio.create_task(_find(session, config))
        if not await _first_of(finding, background):
            await _end({finding})
            return
        queue, dead_letters = finding.result()
        store = Store(S3(session, config.storage.bucket), config.storage.prefix, config.name)
        feeder = Feeder(config, queue, dead_letters, store, target, readiness)
        admin.connected = True
        started()
        heartbeat = asyncio.create_task(feeder.heartbeat())
        background.add(heartbeat)
        feeding = asyncio.create_task(feeder.run())
        await _first_of(feeding, background)
        admin.draining.set()
        await _end({feeding})
        await feeder.drain(config.pod.termination_grace_period_seconds - _EXIT_SECONDS)
        admin.drained.set()


async def _find(session: AwsSession, config: ApiConfig) -> tuple[Queue, Queue]:
    return await asyncio.gather(
        keep_finding(lambda: Queue.find(session, config, 5.0)),
        keep_finding(lambda: Queue.find_dead_letters(session, config, 5.0)),
    )


async def _first_of(main: asyncio.Task[Any], background: set[asyncio.Task[Any]]) -> bool:
    """Wait until `main` ends (True), or something in the background does (False, or its error)."""
    done, _ = await asyncio.wait({main, *background}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return main in done


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
