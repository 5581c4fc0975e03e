"""The span of a submission: from its head to its answer. Made only where spans are asked for."""

from aiohttp import web
from opentelemetry import trace

from cortex_async import logs, spans
from cortex_async.config import ApiConfig
from cortex_async.gateway.errors import ID, Handler
from cortex_async.http.headers import Headers


class SubmitSpans:
    """Makes the spans of one gateway."""

    def __init__(self, config: ApiConfig) -> None:
        self._endpoint = config.gateway.endpoint
        self._sender = spans.Sender(config, "gateway")
        self.close = self._sender.close

    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Span a submission; its traceparent is told in the logs and in the answer from here on."""
        if request.method != "POST" or request.path != self._endpoint:
            return await handler(request)
        about = {"http.request.method": "POST", "url.path": request.path}
        parent = spans.parent_of(request.headers.items())
        with self._sender.current("submit", parent, trace.SpanKind.SERVER, about) as span:
            logs.within_trace(spans.traceparent_of(span))
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                span.set_status(trace.StatusCode.ERROR)
            if request_id := request.get(ID):
                span.set_attribute("cortex_async.request_id", request_id)
            return response

    def within_submit(self, headers: Headers) -> Headers:
        """Return the headers to queue: what comes of the request is part of its submission."""
        return spans.within(trace.get_current_span(), headers)
