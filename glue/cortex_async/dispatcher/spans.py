"""The spans of a request in the dispatcher: queue, process, POST, store. Made only where spans are asked for.

They are laid around what does the work, so that it knows nothing of them, and costs nothing more without them.
"""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, cast

import aiohttp
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from cortex_async import spans
from cortex_async.config import ApiConfig
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.dispatcher import Process
from cortex_async.dispatcher.in_flight import Request
from cortex_async.queue.message import Message
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Status, Store

_request: ContextVar[Request] = ContextVar("request")


class RequestSpans:
    """Makes the spans of one dispatcher."""

    def __init__(self, config: ApiConfig) -> None:
        self._ids = RequestIds(config.cluster_name, config.name)
        self._queue_name = config.queue.name
        self._sender = spans.Sender(config, "dispatcher")
        self._tracer = self._sender.tracer
        self.close = self._sender.close

    def container(self, port: int, cancel_path: str | None = None) -> Container:
        """Return the container, each POST to which is a span."""
        return _Container(port, cancel_path, self._tracer)

    def store(self, store: Store) -> Store:
        """Return the store, each result that is put into which is a span."""
        return cast(Store, _Store(store, self._sender))

    def around(self, process: Process) -> Process:
        """Return what processes a request within a span, from its receive to its end, or to its retry."""

        async def traced(request: Request) -> None:
            parent = spans.parent_of(request.message.headers)
            about: dict[str, AttributeValue] = {
                "messaging.system": "aws_sqs",
                "messaging.destination.name": self._queue_name,
                "cortex_async.request_id": request.id,
                "cortex_async.receive_count": request.receive_count,
            }
            if request.receive_count == 1:
                self._waited(request, parent)
            with self._sender.current("process", parent, trace.SpanKind.CONSUMER, about) as span:
                _request.set(request)
                await process(request)
                span.set_attribute("cortex_async.attempt", request.attempt)

        return traced

    def _waited(self, request: Request, parent: Context) -> None:
        issued_at = self._ids.issued_at(request.id)
        if issued_at is not None:
            now = time.time()
            queued = self._tracer.start_span("queue", parent, start_time=spans.nanoseconds(min(issued_at, now)))
            queued.end(spans.nanoseconds(now))


class _Container(Container):
    def __init__(self, port: int, cancel_path: str | None, tracer: trace.Tracer) -> None:
        super().__init__(port, cancel_path)
        self._tracer = tracer
        self._about: dict[str, AttributeValue] = {"http.request.method": "POST", "server.port": port}

    @asynccontextmanager
    async def post(
        self, message: Message, payload: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Post, within a span that ends when the container has done its part."""
        span = self._tracer.start_span("POST", kind=trace.SpanKind.CLIENT, attributes=self._about)
        message = dataclasses.replace(message, headers=spans.within(span, message.headers))
        try:
            async with super().post(message, payload) as response:
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= 400:
                    span.set_status(trace.StatusCode.ERROR)
                yield response
        except BaseException as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)  # its text may quote the response
            raise
        finally:
            span.end(_left_at())


def _left_at() -> int | None:
    """When the container had done its part, if it is known; the result may be stored before the POST is over."""
    request = _request.get(None)
    if request is None or request.left_at is None:
        return None
    ago = asyncio.get_running_loop().time() - request.left_at
    return spans.nanoseconds(time.time() - ago)


class _Store:
    """All that the store it is made of does."""

    def __init__(self, store: Store, sender: spans.Sender) -> None:
        self._store = store
        self._sender = sender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put_result(
        self,
        request_id: str,
        body: bytes | AsyncIterator[bytes],
        status: Status,
        attempt: int,
        *,
        started: datetime | None = None,
        dead_letter: bool = False,
        content_type: str = "",
        callback_url: str | None = None,
    ) -> None:
        """See `Store`."""
        about = {"cortex_async.status": status.value, "cortex_async.attempt": attempt}
        with self._sender.current("store", None, trace.SpanKind.CLIENT, about):
            await self._store.put_result(
                request_id,
                body,
                status,
                attempt,
                started=started,
                dead_letter=dead_letter,
                content_type=content_type,
                callback_url=callback_url,
            )
