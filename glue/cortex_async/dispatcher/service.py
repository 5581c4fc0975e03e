"""The dispatcher as a process: start, run, drain."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp

from cortex_async import limits, metrics, tracing
from cortex_async.aws.client import AwsSession
from cortex_async.backoff import EVENTS, PERSISTENT
from cortex_async.config import ApiConfig
from cortex_async.dispatcher.admin import Admin
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.dispatcher import Dispatcher
from cortex_async.dispatcher.events import Events
from cortex_async.dispatcher.metrics import DispatcherMetrics
from cortex_async.dispatcher.readiness import Readiness
from cortex_async.http.server import listening, started, stop_signal
from cortex_async.queue.sqs_queue import SqsQueue
from cortex_async.storage.s3_store import S3Store

if TYPE_CHECKING:
    from cortex_async.dispatcher.spans import RequestSpans

log = logging.getLogger(__name__)


async def serve(config: ApiConfig) -> None:
    """Feed the pod until SIGTERM or SIGINT, then drain; raises CortexError when the admin port is taken."""
    stop = stop_signal()
    registry = metrics.new_registry(config.name)
    aws_calls = metrics.AwsCalls()
    metrics.Readings(registry, config.name, [aws_calls.reading])
    async with AsyncExitStack() as stack:
        spans = _spans(config)
        if spans is not None:
            stack.push_async_callback(spans.close)
        session = await stack.enter_async_context(AwsSession(config.aws, aws_calls.observe))
        pod = config.pod
        container = (spans.container if spans else Container)(pod.port, pod.cancel_path)
        stack.push_async_callback(container.close)
        readiness = Readiness(config.probes, await stack.enter_async_context(_probing_session()))
        admin = Admin(readiness, registry)
        await stack.enter_async_context(listening(admin.application(), config.dispatcher.admin_port))
        background: set[asyncio.Task[Any]] = {
            asyncio.create_task(readiness.run()),
            asyncio.create_task(stop.wait()),
        }
        stack.push_async_callback(_end, background)
        finding = asyncio.create_task(_open_queues(session, config))
        if not await _first_of(finding, background):
            await _end({finding})
            return
        queue, dead_letters = finding.result()
        opened = S3Store.open(session, config, PERSISTENT)
        store = spans.store(opened) if spans else opened
        counters = DispatcherMetrics(registry, config.name)
        around = spans.around if spans else None
        events = None
        if config.webhooks is not None:
            opening = asyncio.create_task(SqsQueue.open_webhooks(session, config, EVENTS))
            stack.push_async_callback(_end, {opening})
            events = Events(config.webhooks, store, opening)
        dispatcher = Dispatcher(config, queue, dead_letters, store, container, readiness, counters, around, events)
        admin.progress.report = dispatcher.report
        admin.connected = True
        started()
        heartbeat = asyncio.create_task(dispatcher.heartbeat())
        background |= {heartbeat, asyncio.create_task(dispatcher.watch_cancellations())}
        receiving = asyncio.create_task(dispatcher.run())
        await _first_of(receiving, background)
        admin.draining.set()
        await _end({receiving})
        await dispatcher.drain(config.pod.termination_grace_period_seconds - limits.EXIT_SECONDS)
        admin.drained.set()


def _spans(config: ApiConfig) -> "RequestSpans | None":
    """What makes spans, if any are asked for; raises ConfigError without the SDK."""
    if config.tracing.endpoint is None:
        return None
    with tracing.needs_sdk():
        from cortex_async.dispatcher.spans import RequestSpans  # noqa: PLC0415 (the SDK takes 7 MB)
    return RequestSpans(config)


def _probing_session() -> aiohttp.ClientSession:
    """A session without kept connections: what a server makes of a probe must not meet a request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True), cookie_jar=aiohttp.DummyCookieJar()
    )


async def _open_queues(session: AwsSession, config: ApiConfig) -> tuple[SqsQueue, SqsQueue]:
    return await asyncio.gather(
        SqsQueue.open(session, config, PERSISTENT), SqsQueue.open_dead_letters(session, config, PERSISTENT)
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
