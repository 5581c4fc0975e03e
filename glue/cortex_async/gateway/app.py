"""The HTTP API: `POST <endpoint>` and `GET <endpoint>/<id>`."""

from aiohttp import HttpVersion11, web

from cortex_async import logs
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsUnavailable
from cortex_async.gateway.description import served_description
from cortex_async.gateway.errors import Handler, Rejected, as_json
from cortex_async.gateway.metrics import GatewayMetrics
from cortex_async.gateway.result import Results, accepted, accepted_headers
from cortex_async.gateway.scaling import Sampler
from cortex_async.gateway.submit import Submission
from cortex_async.gateway.wait import Waiters, asked_seconds, preferred_seconds
from cortex_async.http.connection import error_document
from cortex_async.queue.protocol import Queue
from cortex_async.request_id import RequestIds
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import Store

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
    ) -> None:
        budget = budget or MemoryBudget()
        ids = RequestIds(config.cluster_name, config.name)
        self._endpoint = config.gateway.endpoint
        self._submission = Submission(config, ids, store, stall_seconds, budget)
        self._results = Results(config, ids, store, budget)
        self._metrics = metrics or GatewayMetrics(Sampler(60, 1))
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
        app = web.Application(middlewares=[self.counted, as_json])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/openapi.json", self._description)
        app.router.add_post(self._endpoint, self.submit, expect_handler=self.expect)
        app.router.add_get(self._endpoint + "/{id}", self._result, allow_head=False)
        return app

    @web.middleware
    async def counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count the answer; the kubelet's calls are none of a client."""
        logs.within_trace(request.headers.get("traceparent"))
        try:
            response = await handler(request)
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

    async def expect(self, request: web.Request) -> web.Response | None:
        """Let the client send its body, unless it is announced too large (RFC 9110, section 10.1.1)."""
        if request.version < HttpVersion11:  # which knows no interim answers (RFC 9110, section 10.1.1)
            return None
        if request.headers["Expect"].lower() != "100-continue":
            return error_document(417, "expectation_failed", "the only Expect that can be met is 100-continue")
        try:
            self._submission.check_length(request)
        except Rejected as error:  # no middleware runs here
            return error_document(error.status, error.code, str(error))
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun
        return None

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST <endpoint>`; raises CortexError."""
        if self.queue is None:
            raise AwsUnavailable("GetQueueUrl", "the queue has not been found yet")
        request_id = await self._submission.accept(request, self.queue)
        self._metrics.submitted(request_id)
        seconds = preferred_seconds(request)
        if seconds and await self._has_ended_within(request, request_id, seconds):
            return await self._results.answer(request, request_id, accepted_headers(request, request_id))
        return accepted(request, request_id)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        return await self.result(request, request.match_info["id"])

    async def result(self, request: web.Request, request_id: str) -> web.StreamResponse:
        """Answer `GET <endpoint>/<id>`; raises CortexError."""
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
