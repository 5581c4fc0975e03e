"""A receiver of spans by OTLP over HTTP, as a collector is one, decoded by the protocol's published classes."""

import asyncio
import collections
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.processes import WAIT_SECONDS, free_port


@dataclass(frozen=True)
class Span:
    """What a test asks of a span; times in nanoseconds since the epoch."""

    name: str
    service: str
    trace_id: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    failed: bool
    facts: dict[str, Any]


@dataclass
class Receiver:
    url: str
    spans: list[Span] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        self.spans += decoded(await request.read())
        self._more.set()
        return web.Response(content_type="application/x-protobuf")

    async def until(self, counts: Mapping[str, int]) -> None:
        """Wait until there are so many spans of each name; raises TimeoutError."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not self.counts() >= collections.Counter(counts):
                self._more.clear()
                await self._more.wait()
        assert self.counts() == counts

    def counts(self) -> collections.Counter[str]:
        return collections.Counter(each.name for each in self.spans)


def decoded(body: bytes) -> list[Span]:
    """The spans of a request of OTLP over HTTP."""
    return [
        _span(each, _facts(resource.resource.attributes)["service.name"])
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    ]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    port = free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_post("/v1/traces", receiver.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()


def _span(span: Any, service: str) -> Span:
    return Span(
        span.name,
        service,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        _facts(span.attributes),
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
