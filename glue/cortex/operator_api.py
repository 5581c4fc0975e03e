"""The operator's HTTP API."""

from __future__ import annotations

import os
import secrets
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from cortex import transport
from cortex.environments import Environment
from cortex.exceptions import (
    ApiNotDeployed,
    CortexError,
    NotAllowed,
    OperatorRefused,
    OperatorUnavailable,
    VersionMismatch,
)
from cortex.version import __version__

_READ_SECONDS = 30.0
_DEPLOY_SECONDS = 900.0  # helm waits for the Job that makes the queues

_KINDS: Mapping[str, type[OperatorRefused]] = {
    "resources.api_not_deployed": ApiNotDeployed,
    "endpoints.api_version_mismatch": VersionMismatch,
    "auth.not_allowed": NotAllowed,
    "operator.deploy_disabled": NotAllowed,
}


class Operator:
    """The operator of one environment; calls raise OperatorUnavailable, or an OperatorRefused that says why."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def info(self) -> Any:
        """Return what is known about the cluster."""
        return self._call("GET", "/info")

    def list_apis(self) -> list[dict[str, Any]]:
        """Return every API."""
        return list(self._call("GET", "/get"))

    def get_api(self, name: str) -> list[dict[str, Any]]:
        """Return one API, its specification included, as a list of one."""
        return list(self._call("GET", f"/get/{_quoted(name)}"))

    def describe_api(self, name: str) -> list[dict[str, Any]]:
        """Return one API with the counts of its replicas, as a list of one."""
        return list(self._call("GET", f"/describe/{_quoted(name)}"))

    def deploy(self, config: bytes, file_name: str, *, force: bool) -> list[dict[str, Any]]:
        """Deploy the APIs of a `cortex.yaml`, and return a result for each."""
        boundary = secrets.token_hex(16)
        safe_name = "".join(each for each in file_name if each.isprintable() and each not in '"\\')
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="config"; filename="{safe_name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        query = urllib.parse.urlencode({"force": _flag(force), "configFileName": file_name})
        body = head.encode() + config + f"\r\n--{boundary}--\r\n".encode()
        content_type = f"multipart/form-data; boundary={boundary}"
        return list(self._call("POST", f"/deploy?{query}", _DEPLOY_SECONDS, body, content_type))

    def refresh(self, name: str, *, force: bool) -> dict[str, str]:
        """Restart the replicas of an API, one after the other."""
        return dict(self._call("POST", f"/refresh/{_quoted(name)}?force={_flag(force)}", body=b""))

    def delete(self, name: str, *, keep_cache: bool) -> dict[str, str]:
        """Delete an API."""
        query = urllib.parse.urlencode({"apiName": name, "keepCache": _flag(keep_cache)})
        return dict(self._call("DELETE", f"/delete/{_quoted(name)}?{query}", _DEPLOY_SECONDS))

    def log_url(self, name: str) -> str:
        """Return where an API's logs can be read in a browser."""
        return str(self._call("GET", f"/logs/{_quoted(name)}")["log_url"])

    def log_lines(self, name: str, *, follow: bool) -> Iterator[bytes]:
        """Yield the lines of the log of one of the API's pods, chosen at random."""
        url = f"{self._environment.operator_endpoint}/streamlogs/{_quoted(name)}?follow={_flag(follow)}"
        try:
            yield from transport.lines(url, connect_timeout=3600, headers=_headers())
        except transport.Refused as refused:
            raise self._refusal(refused.answer) from refused
        except transport.NoAnswer as error:
            raise self._unavailable(str(error)) from error

    def _call(
        self,
        method: str,
        path: str,
        timeout: float = _READ_SECONDS,
        body: bytes | None = None,
        content_type: str = "",
    ) -> Any:
        headers = _headers()
        if body is not None:
            headers["Content-Type"] = content_type or "application/octet-stream"
        url = self._environment.operator_endpoint + path
        try:
            answer = transport.call(method, url, timeout=timeout, body=body, headers=headers)
        except transport.NoAnswer as error:
            raise self._unavailable(str(error)) from error
        document = answer.json()
        if answer.status != 200:
            raise self._refusal(answer)
        if document is None:
            raise self._unavailable("it answers something other than JSON")
        return document

    def _refusal(self, answer: transport.Answer) -> CortexError:
        document = answer.json()
        if not isinstance(document, dict) or not isinstance(document.get("message"), str):
            return self._unavailable(f"it answers HTTP {answer.status}")
        if answer.status >= 500:
            return self._unavailable(document["message"])
        kind = str(document.get("kind", ""))
        return _KINDS.get(kind, OperatorRefused)(document["message"], kind)

    def _unavailable(self, reason: str) -> OperatorUnavailable:
        place = self._environment.operator_endpoint
        return OperatorUnavailable(
            f"the operator of environment {self._environment.name} at {place} cannot be used: {reason}"
        )


def check_cluster_version() -> None:
    """Raise VersionMismatch when the pod's cluster is of another minor version than this client."""
    cluster = os.environ.get("CORTEX_VERSION")
    if cluster and _minor(cluster) != _minor(__version__):
        raise VersionMismatch(
            f"this client is version {__version__}, but the cluster is {cluster} (CORTEX_VERSION); "
            f"install a client of version {'.'.join(_minor(cluster))}"
        )


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _headers() -> dict[str, str]:
    headers = {"CortexAPIVersion": __version__, "User-Agent": f"cortex-async-client/{__version__}"}
    token = os.environ.get("CORTEX_OPERATOR_TOKEN", "").strip()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _flag(value: bool) -> str:
    return "true" if value else "false"
