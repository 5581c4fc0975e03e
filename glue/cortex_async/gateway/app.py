"""The HTTP API: `POST <endpoint>`, and `GET` and `DELETE <endpoint>/<id>`."""

import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web

from cortex_async import limits, logs
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsUnavailable
from cortex_async.gateway.api_keys import ApiKeys
from cortex_async.gateway.cancel import Cancelling
from cortex_async.gateway.cors import Cors
from cortex_async.gateway.description import served_description
from cortex_async.gateway.errors import Handler, Rejected, answered
from cortex_async.gateway.listing import Listing
from cortex_async.gateway.metrics import GatewayMetrics
from cortex_async.gateway.raw_result import RawResults
from cortex_async.gateway.result import Results, accepted, accepted_headers
from cortex_async.gateway.scaling import Sampler
from cortex_async.gateway.stream import StatusStream
from cortex_async.gateway.submit import Submission
from cortex_async.gateway.uploads import Uploads
from cortex_async.gateway.wait import Waiters, asked_seconds, preferred_seconds
from cortex_async.gateway.webhooks.redelivery import Redelivery
from cortex_async.http.connection import error_document
from cortex_async.queue.protocol import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import Store

if TYPE_CHECKING:
    from cortex_async.gateway.spans import SubmitSpans

_PROBES = frozenset({"/healthz", "/readyz"})


class Gateway:
    """The routes; `queue` is None until it has been found, `stopping` is set while the process ends.

    A client that sends no byte of a body for `stall_seconds` is let go.
    """

    def __init__(
        self,
        config: ApiConfig,
        store: Store,
        stall_seconds: float,
        budget: MemoryBudget | None = None,
        metrics: GatewayMetrics | None = None,
        spans: "SubmitSpans | None" = None,
    ) -> None:
        budget = budget or MemoryBudget()
        ids = RequestIds(config.cluster_name, config.name)
        self._endpoint = config.gateway.endpoint
        self._takes_uploads = config.gateway.uploads
        self._uploads = Uploads(config, ids, store)
        within_submit = spans.within_submit if spans else None
        self._submission = Submission(config, ids, store, self._uploads, stall_seconds, budget, within_submit)
        self._answered: Callable[[web.Request, Handler], Awaitable[web.StreamResponse]] = answered
        if spans is not None:
            self._answered = functools.partial(_spanned, spans)
        self._results = Results(config, ids, store, budget)
        self._listing = Listing(config, ids, self._results, store) if config.gateway.list else None
        self._raw_results = RawResults(config, self._results, store, budget)
        self._cancelling = Cancelling(config, ids, store)
        self._metrics = metrics or GatewayMetrics(Sampler(60, 1))
        self._sampler = self._metrics.sampler
        self._max_queued = config.gateway.max_queued
        self._keys = None
        if config.gateway.api_keys is not None:
            self._keys = ApiKeys(config.gateway.api_keys, self._endpoint, time.monotonic)
        self._origins = config.gateway.allowed_origins
        self.redelivery = None
        if config.webhooks is not None and config.gateway.webhooks is not None:
            self.redelivery = Redelivery(config, config.webhooks, config.gateway.webhooks, ids, store)
        self._waiters = Waiters()
        self._store = store
        self._ids = ids
        self.queue: Queue | None = None
        self.stopping = False

    def stop_waiting(self) -> None:
        """Answer all who wait for a result: the process is about to end."""
        self._waiters.close()

    def application(self) -> web.Application:
        """Return the application to serve."""
        keys = [] if self._keys is None else [self._keys.middleware]
        app = web.Application(middlewares=[self._counted, *keys])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/openapi.json", self._description)
        app.router.add_post(self._endpoint, self._submit, expect_handler=self._expect)
        if self._listing is not None:
            app.router.add_get(self._endpoint, self._listing.answer, allow_head=False)
        if self._takes_uploads:
            app.router.add_post(self._endpoint + "/uploads", self._uploads.begin)
        app.router.add_get(self._endpoint + "/{id}", self._result, allow_head=False)
        app.router.add_get(self._endpoint + "/{id}/result", self._raw_results.answer, allow_head=False)
        app.router.add_delete(self._endpoint + "/{id}", self._cancelling.cancel)
        if self.redelivery is not None:
            app.router.add_post(self._endpoint + "/{id}/webhook", self.redelivery.answer)
        if self._origins:
            Cors(self._origins).add_to(
                app, self._endpoint, self._endpoint + "/{id}", self._endpoint + "/{id}/result"
            )
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, and count it; the kubelet's calls are none of a client."""
        logs.within_trace(request.headers.get("traceparent"))
        try:
            response = await self._answered(request, handler)
        except web.HTTPException as error:
            self._metrics.answered(request.method, error.status)
            raise
        if request.path not in _PROBES:
            self._metrics.answered(request.method, response.status)
        return response

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        waiting_for = ["nothing: the gateway is shutting down"] if self.stopping else []
        if self.queue is None:
            waiting_for.append("the queue")
        status = 503 if waiting_for else 200
        return web.json_response({"ready": not waiting_for, "waiting_for": waiting_for}, status=status)

    async def _description(self, _: web.Request) -> web.Response:
        return served_description(self._endpoint)

    async def _expect(self, request: web.Request) -> web.Response | None:
        """Let the client send its body, unless it is announced too large (RFC 9110, section 10.1.1)."""
        if request.version < HttpVersion11:  # which knows no interim answers (RFC 9110, section 10.1.1)
            return None
        if request.headers["Expect"].lower() != "100-continue":
            return error_document(417, "expectation_failed", "the only Expect that can be met is 100-continue")
        try:
            if self._keys is not None:
                self._keys.check(request)
            self._check_queued()
            self._submission.check_length(request)
        except Rejected as error:  # no middleware runs here
            return error_document(error.status, error.code, str(error), error.headers)
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun
        return None

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        if self.queue is None:
            raise AwsUnavailable("GetQueueUrl", "the queue has not been found yet")
        self._check_queued()
        request_id = await self._submission.accept(request, self.queue)
        self._metrics.submitted(request_id)
        seconds = preferred_seconds(request)
        if seconds and await self._has_ended_within(request, request_id, seconds):
            return await self._results.answer(request, request_id, accepted_headers(request, request_id))
        return accepted(request, request_id)

    def _check_queued(self) -> None:
        """Raise Rejected (429) when the queue is full, as far as is known: it is sampled every 10 s."""
        if self._max_queued is None or self._sampler.queued() < self._max_queued:
            return
        again = {"Retry-After": str(round(limits.SAMPLE_SECONDS))}
        message = f"{self._max_queued} requests wait already (gateway.maxQueued); nothing was accepted"
        raise Rejected(429, "queue_full", message, again)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        request_id = request.match_info["id"]
        if request.rel_url.raw_query_string and request.rel_url.query.get("stream") == "1":
            return await StatusStream(request, request_id, self._results).run(self._waiters)
        seconds = asked_seconds(request)
        if seconds and self._ids.issued_at(request_id) is not None:
            await self._has_ended_within(request, request_id, seconds)
        return await self._results.answer(request, request_id)

    async def _has_ended_within(self, request: web.Request, request_id: str, seconds: int) -> bool:
        ended = False

        async def has_ended() -> bool:
            nonlocal ended
            ended = await self._store.has_result(request_id)
            return ended

        await self._waiters.wait(request, seconds, has_ended)
        return ended


async def _spanned(spans: "SubmitSpans", request: web.Request, handler: Handler) -> web.StreamResponse:
    return await spans.around(request, functools.partial(answered, handler=handler))
