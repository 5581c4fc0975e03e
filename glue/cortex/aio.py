"""The same for asyncio: `AsyncClient` and `AsyncRequest` have the calls of `Client` and `Request` as coroutines.

Calls run in threads, each for as long as one HTTP call takes; while a request is waited for, no thread is held.
"""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from cortex.client import Client
from cortex.mapping import Progress, size_of
from cortex.request import Request

T = TypeVar("T")
_CALLS_AT_ONCE = 32


class AsyncRequest:
    """A request that a gateway has accepted."""

    def __init__(self, request: Request, client: AsyncClient) -> None:
        self.id = request.id
        self.url = request.url
        self._request = request
        self._client = client

    async def status(self) -> str:
        """Return `in_queue`, `in_progress`, `completed`, `failed`, or what else the gateway says."""
        return await self._client.run(self._request.status)

    async def result(self, timeout: float | None = None) -> Any:
        """Wait until the request has ended, and return its result; raises what Request.result raises."""
        deadline = None if timeout is None else time.monotonic() + timeout
        tries = 0
        while True:
            document = await self._client.run(self._request.look_patiently)
            if document is not None and document["status"] in {"completed", "failed", "cancelled", "expired"}:
                return self._request.outcome(document)
            left = float("inf") if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise self._request.too_late(timeout)
            await asyncio.sleep(min(left, self._request.pause(tries)))
            tries += 1

    async def cancel(self) -> None:
        """Ask for the request to be cancelled; raises what Request.cancel raises."""
        await self._client.run(self._request.cancel)


class AsyncClient:
    """The client of one environment; `cortex.async_client()` makes one. `async with` ends its threads."""

    def __init__(self, client: Client) -> None:
        self.env = client.env
        self.env_name = client.env_name
        self._client = client
        self._threads = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="cortex")

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False)

    async def run(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Run a blocking call in one of the client's threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *arguments, **options))

    async def deploy(self, api_spec: Mapping[str, Any], force: bool = True, wait: bool = False) -> dict[str, Any]:
        """Deploy or update an API; see Client.deploy."""
        return await self.run(self._client.deploy, api_spec, force, wait)

    async def deploy_from_file(self, config_file: str, force: bool = False, wait: bool = False) -> dict[str, Any]:
        """Deploy or update the APIs of a `cortex.yaml`; see Client.deploy_from_file."""
        return await self.run(self._client.deploy_from_file, config_file, force, wait)

    async def get_api(self, api_name: str) -> dict[str, Any]:
        """Return an API: its specification, status and endpoint."""
        return await self.run(self._client.get_api, api_name)

    async def list_apis(self) -> list[dict[str, Any]]:
        """Return the APIs of the environment."""
        return await self.run(self._client.list_apis)

    async def refresh(self, api_name: str, force: bool = False) -> None:
        """Restart the replicas of an API, with no downtime."""
        await self.run(self._client.refresh, api_name, force)

    async def delete(self, api_name: str, keep_cache: bool = False) -> None:
        """Delete an API."""
        await self.run(self._client.delete, api_name, keep_cache)

    async def get_job(self, api_name: str, job_id: str) -> dict[str, Any]:
        """Raise NotSupported: an AsyncAPI has no jobs."""
        return self._client.get_job(api_name, job_id)

    async def stop_job(self, api_name: str, job_id: str, keep_cache: bool = False) -> None:
        """Raise NotSupported: an AsyncAPI has no jobs."""
        self._client.stop_job(api_name, job_id, keep_cache)

    async def submit(
        self,
        api: str,
        payload: Any,
        *,
        content_type: str | None = None,
        wait: int | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> AsyncRequest:
        """Submit a request to an API; see Client.submit."""
        request = await self.run(
            self._client.submit,
            api,
            payload,
            content_type=content_type,
            wait=wait,
            idempotency_key=idempotency_key,
            headers=headers,
            query=query,
        )
        return AsyncRequest(request, self)

    async def request(self, api: str, request_id: str) -> AsyncRequest:
        """Return a request that was submitted before, by its id."""
        return AsyncRequest(await self.run(self._client.request, api, request_id), self)

    async def map(
        self,
        api: str,
        payloads: Iterable[Any],
        *,
        concurrency: int = 8,
        progress: bool | None = None,
        timeout: float | None = None,
        return_exceptions: bool = False,
        content_type: str | None = None,
    ) -> AsyncIterator[Any]:
        """Submit many payloads and yield their results, in the order of the payloads; see Client.map."""
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be at least 1")
        slots = asyncio.Semaphore(concurrency)
        bar = Progress(size_of(payloads), progress)
        waiting: collections.deque[asyncio.Task[Any]] = collections.deque()

        async def one(payload: Any) -> Any:
            async with slots:
                return await (await self.submit(api, payload, content_type=content_type)).result(timeout)

        async def taken() -> Any:
            try:
                return await waiting.popleft()
            except Exception as error:
                if return_exceptions:
                    return error
                raise
            finally:
                bar.step()

        try:
            for payload in payloads:
                waiting.append(asyncio.create_task(one(payload)))
                if len(waiting) >= 2 * concurrency:
                    yield await taken()
            while waiting:
                yield await taken()
        finally:
            for task in waiting:
                task.cancel()
            bar.end()
