"""OpenTelemetry spans of a request, sent by OTLP over HTTP; this module imports the SDK.

submit (gateway) → queue → process → POST and store (dispatcher). What joins them is the `traceparent` header (W3C
Trace Context): a client may send one, the message carries that of submit, and the container gets that of POST.
What else OpenTelemetry has to be told (headers for the receiver, certificates) are its own OTEL_* variables.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from cortex_async import __version__, limits
from cortex_async.config import ApiConfig
from cortex_async.http.headers import Headers

_W3C = TraceContextTextMapPropagator()
_NANOSECONDS = 1_000_000_000


class Sender:
    """Sends the spans of this process, in batches and from a thread of its own."""

    def __init__(self, config: ApiConfig, component: str) -> None:
        about = {
            "service.name": f"api-{config.name}"
            if component == "dispatcher"
            else f"api-{config.name}-{component}",
            "service.namespace": config.release.partition("/")[0],
            "service.version": __version__,
        }
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(config.tracing.sample_ratio)),
            resource=Resource.create(about),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{(config.tracing.endpoint or '').rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer: trace.Tracer = self._provider.get_tracer("cortex_async", __version__)

    @contextmanager
    def current(
        self, name: str, parent: Context | None, kind: trace.SpanKind, about: Mapping[str, AttributeValue]
    ) -> Iterator[trace.Span]:
        """Make a span that those within are part of; an error tells its kind alone, as its text may quote data."""
        with self.tracer.start_as_current_span(
            name, parent, kind, about, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise

    async def close(self) -> None:
        """Send what is left, for a moment at most: a receiver that is away must not hold up the process's end."""
        loop = asyncio.get_running_loop()
        sent = asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), limits.SPANS_LAST_SECONDS)


def parent_of(headers: Iterable[tuple[str, str]]) -> Context:
    """Return the context that `traceparent` and `tracestate` tell, or an empty one."""
    carrier = {name.lower(): value for name, value in headers if name.lower() in _W3C.fields}
    return _W3C.extract(carrier, Context())


def within(span: trace.Span, headers: Headers) -> Headers:
    """Return the headers with the span as their trace's newest part."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return (*(pair for pair in headers if pair[0].lower() not in _W3C.fields), *carrier.items())


def traceparent_of(span: trace.Span) -> str | None:
    """Return the span's `traceparent`."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")


def nanoseconds(epoch_seconds: float) -> int:
    """Return a time as OpenTelemetry counts it."""
    return int(epoch_seconds * _NANOSECONDS)
