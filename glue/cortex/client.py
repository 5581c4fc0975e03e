"""The client of one environment: its APIs through the operator, and requests through their gateways."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cortex import mapping, request
from cortex.environments import Environment
from cortex.exceptions import ConfigError, NotSupported, OperatorRefused, RequestNotFound
from cortex.operator_api import Operator
from cortex.request import Request

_POLL_SECONDS = 1.0
_NO_JOBS = (
    "there are no jobs on this cluster: it runs APIs of kind AsyncAPI alone; "
    "submit each item as a request (client.map), or run a Kubernetes Job"
)


class Client:
    """Deploys and manages APIs, and submits requests to them. `cortex.client()` makes one.

    Calls of the operator raise OperatorUnavailable and OperatorRefused (that is ApiNotDeployed, NotAllowed or
    VersionMismatch where it says so).
    One client may be used by several threads.
    """

    def __init__(self, environment: Environment) -> None:
        self.env = environment.document()
        self.env_name = environment.name
        self._operator = Operator(environment)
        self._endpoints: dict[str, str] = {}
        self._lock = threading.Lock()

    def deploy(self, api_spec: Mapping[str, Any], force: bool = True, wait: bool = False) -> dict[str, Any]:
        """Deploy or update the API that a mapping describes, as an entry of a `cortex.yaml`.

        With `wait`, return when its replicas are ready: the API, and not the result of the deployment.
        """
        return self._deploy(json.dumps([api_spec]).encode(), "cortex.yaml", force, wait)[0]

    def deploy_from_file(self, config_file: str, force: bool = False, wait: bool = False) -> dict[str, Any]:
        """Deploy or update the APIs of a `cortex.yaml`; return what became of the first, as the original does."""
        try:
            config = Path(config_file).read_bytes()
        except OSError as error:
            raise ConfigError(f"{config_file} cannot be read: {error.strerror}") from error
        return self._deploy(config, Path(config_file).name, force, wait)[0]

    def get_api(self, api_name: str) -> dict[str, Any]:
        """Return an API: its specification, status and endpoint."""
        return self._operator.get_api(api_name)[0]

    def list_apis(self) -> list[dict[str, Any]]:
        """Return the APIs of the environment."""
        return self._operator.list_apis()

    def refresh(self, api_name: str, force: bool = False) -> None:
        """Restart the replicas of an API, with no downtime; `force` does so even while it is being updated."""
        self._operator.refresh(api_name, force=force)

    def delete(self, api_name: str, keep_cache: bool = False) -> None:
        """Delete an API; `keep_cache` has no effect, since there is no cache."""
        self._operator.delete(api_name, keep_cache=keep_cache)
        self._forget(api_name)

    def get_job(self, api_name: str, job_id: str) -> dict[str, Any]:
        """Raise NotSupported: an AsyncAPI has no jobs."""
        raise NotSupported(_NO_JOBS)

    def stop_job(self, api_name: str, job_id: str, keep_cache: bool = False) -> None:
        """Raise NotSupported: an AsyncAPI has no jobs."""
        raise NotSupported(_NO_JOBS)

    def submit(
        self,
        api: str,
        payload: Any,
        *,
        content_type: str | None = None,
        wait: int | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Request:
        """Submit a request to an API; bytes and text go as they are, all else as JSON.

        With `wait` the gateway may hold its answer for so many seconds, until the result is there. Tries are
        repeated under one idempotency key, so that none runs twice; name your own to submit again from elsewhere.
        Raises RequestRefused, GatewayUnavailable (nothing was accepted) and SubmissionUncertain.
        """
        options: dict[str, Any] = {
            "content_type": content_type,
            "wait": wait,
            "idempotency_key": idempotency_key,
            "headers": headers,
            "query": query,
        }
        try:
            return request.submit(self.endpoint(api), payload, **options)
        except RequestNotFound:  # the API may have moved since its endpoint was asked for
            self._forget(api)
            return request.submit(self.endpoint(api), payload, **options)

    def request(self, api: str, request_id: str) -> Request:
        """Return a request that was submitted before, by its id."""
        return Request(request_id, f"{self.endpoint(api)}/{request_id}")

    def map(
        self,
        api: str,
        payloads: Iterable[Any],
        *,
        concurrency: int = 8,
        progress: bool | None = None,
        timeout: float | None = None,
        return_exceptions: bool = False,
        content_type: str | None = None,
    ) -> Iterator[Any]:
        """Submit many payloads and yield their results, in the order of the payloads.

        At most `concurrency` requests are under way, and at most twice that many payloads have been taken. A bar
        on stderr shows the progress (None: when stderr is a terminal). What one raises ends all, unless
        `return_exceptions` yields it in its place.
        """

        def one(payload: Any) -> Any:
            return self.submit(api, payload, content_type=content_type).result(timeout)

        return mapping.ordered(one, payloads, concurrency, progress, return_exceptions)

    def endpoint(self, api: str) -> str:
        """Return the URL that requests to an API are submitted to."""
        with self._lock:
            known = self._endpoints.get(api)
        if known is None:
            known = str(self.get_api(api)["endpoint"]).rstrip("/")
            with self._lock:
                self._endpoints[api] = known
        return known

    def _forget(self, api: str) -> None:
        with self._lock:
            self._endpoints.pop(api, None)

    def _deploy(self, config: bytes, file_name: str, force: bool, wait: bool) -> list[dict[str, Any]]:
        results = self._operator.deploy(config, file_name, force=force)
        errors = [each["error"] for each in results if each.get("error")]
        if errors:
            raise OperatorRefused("; ".join(errors), "operator.deploy_failed")
        return [self._ready(each["api"]["metadata"]["name"]) for each in results] if wait else results

    def _ready(self, name: str) -> dict[str, Any]:
        while True:
            api = self.get_api(name)
            status = api["status"]
            if status["requested"] >= 1 and status["requested"] == status["ready"] == status["up_to_date"]:
                return api
            time.sleep(_POLL_SECONDS)
