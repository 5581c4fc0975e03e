"""Accept requests over HTTP, queue them, and answer for their results."""

import argparse
import asyncio
import functools
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from cortex_async import config, limits, logs, metrics, tracing
from cortex_async.aws.client import AwsSession
from cortex_async.backoff import PATIENT
from cortex_async.config import ApiConfig
from cortex_async.gateway import admin
from cortex_async.gateway.app import Gateway
from cortex_async.gateway.memory import within_limits
from cortex_async.gateway.metrics import GatewayMetrics
from cortex_async.gateway.scaling import Sampler
from cortex_async.gateway.webhooks.metrics import WebhookMetrics
from cortex_async.gateway.webhooks.service import sending
from cortex_async.http import kubernetes
from cortex_async.http.server import listening, started, stop_signal
from cortex_async.queue.sqs_queue import SqsQueue
from cortex_async.storage.s3_store import S3Store

if TYPE_CHECKING:
    from cortex_async.gateway.spans import SubmitSpans


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    config.add_config_argument(source, required=False)
    source.add_argument(
        "--shared",
        action="store_true",
        help="serve every API of the cluster, from their ConfigMaps, instead of one",
    )
    shared = parser.add_argument_group("with --shared")
    shared.add_argument(
        "--namespace",
        dest="namespaces",
        action="append",
        default=[],
        metavar="NAME",
        help="serve the APIs of this namespace; repeatable (default: of every namespace)",
    )
    shared.add_argument("--port", type=int, default=8888, help="port of the APIs (default: %(default)s)")
    shared.add_argument(
        "--admin-port", type=int, default=15001, help="port of /metrics and /scaling (default: %(default)s)"
    )
    kubernetes.add_arguments(shared)
    parser.add_argument(
        "--shutdown-delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="after SIGTERM go on accepting that long, until load balancers have noticed (default: %(default)s)",
    )
    parser.add_argument(
        "--stall-timeout",
        type=float,
        default=limits.STALLED_SECONDS,
        metavar="SECONDS",
        help="let a client go that owes a byte of its request, or takes none of its answer, for that long "
        "(default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    if args.shared:
        from cortex_async.gateway.shared import service  # noqa: PLC0415 - nothing of it in a gateway of one API

        logs.configure("gateway", None)
        asyncio.run(service.serve(args))
        return 0
    api = config.load(args.config)
    logs.configure("gateway", api.name)
    asyncio.run(_serve(api, args.shutdown_delay, args.stall_timeout))
    return 0


async def _serve(api: ApiConfig, shutdown_delay: float, stall_seconds: float) -> None:
    stop = stop_signal()
    registry = metrics.new_registry(api.name)
    aws_calls = metrics.AwsCalls()
    counters = GatewayMetrics(Sampler(api.scaling.window_seconds, api.scaling.target_in_flight))
    webhooks = WebhookMetrics()
    of_webhooks = webhooks.readings if api.webhooks else []
    metrics.Readings(registry, api.name, [aws_calls.reading, *counters.readings, *of_webhooks])
    async with AsyncExitStack() as stack:
        spans = _spans(api)
        if spans is not None:
            stack.push_async_callback(spans.close)
        session = await stack.enter_async_context(AwsSession(api.aws, aws_calls.observe))
        budget, guard = within_limits()
        store = S3Store.open(session, api, PATIENT, budget)
        gateway = Gateway(api, store, stall_seconds, budget, counters, spans)
        opening = functools.partial(SqsQueue.open_webhooks, session, api, PATIENT)
        deliveries = await stack.enter_async_context(
            sending(api, opening, store, budget, gateway.redelivery, webhooks)
        )
        async with (
            listening(gateway.application(), api.gateway.port, stall_seconds, guard),
            listening(admin.application(registry, counters), api.gateway.admin_port),
        ):
            stopping = asyncio.create_task(stop.wait())
            finding = asyncio.create_task(SqsQueue.open(session, api, PATIENT))
            await asyncio.wait({finding, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                finding.cancel()
                return
            gateway.queue = finding.result()
            started()
            sampling = asyncio.create_task(counters.sampler.run(gateway.queue.depth))
            if api.gateway.max_queued is not None:
                counters.sampler.latest()  # so that it is sampled before the first submission
            await stopping
            if deliveries is not None:
                deliveries.stop()
            gateway.stopping = True
            gateway.stop_waiting()
            await asyncio.sleep(shutdown_delay)
            sampling.cancel()


def _spans(api: ApiConfig) -> "SubmitSpans | None":
    """What makes spans, if any are asked for; raises ConfigError without the SDK."""
    if api.tracing.endpoint is None:
        return None
    with tracing.needs_sdk():
        from cortex_async.gateway.spans import SubmitSpans  # noqa: PLC0415 (the SDK takes 7 MB)
    return SubmitSpans(api)
