"""Plain HTTP calls of the operator, as any client makes them."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from support.operator_process import TOKEN, RunningOperator

VERSION = {"CortexAPIVersion": "0.42.1"}


def call(
    operator: RunningOperator,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    token: str | None = TOKEN,
    body: bytes | None = None,
) -> tuple[int, Any]:
    """Return status and document."""
    sent = {**VERSION, **(headers or {})} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(operator.url + path, method=method, headers=sent, data=body)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def get(operator: RunningOperator, path: str) -> Any:
    """Return the document of a call that succeeds."""
    status, document = call(operator, "GET", path)
    assert status == 200, document
    return document
