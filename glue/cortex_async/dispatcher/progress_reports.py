"""`POST /progress/<id>`: what the pod's containers report of a request that they are processing.

From the pod itself alone: the port is open to the kubelet, and to whoever may read metrics.
"""

import ipaddress
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from cortex_async import limits
from cortex_async.http.connection import error_document

Report = Callable[[str, float | None, str | None], bool]
"""Takes the id, the fraction and the message; False when no such request is with the container."""


class ProgressReports:
    """Serves the call; `report` is None until the dispatcher runs."""

    def __init__(self) -> None:
        self.report: Report | None = None

    async def handle(self, request: web.Request) -> web.Response:
        """Take a report, and respond with 202."""
        if not _is_local(request.remote):
            return error_document(403, "not_local", "progress is reported from within the pod")
        try:
            fraction, message = _read(json.loads(await request.read()))
        except (ValueError, RecursionError) as error:
            expected = 'expected {"progress": a number from 0 to 1, "message": a text}, or one of them'
            return error_document(400, "invalid_progress", f"{expected}: {error}")
        request_id = request.match_info["id"]
        if self.report is None or not self.report(request_id, fraction, message):
            return error_document(404, "not_in_progress", "no such request is being processed by this pod")
        return web.json_response({"id": request_id}, status=202)


def _read(document: Any) -> tuple[float | None, str | None]:
    if not isinstance(document, dict) or not document or document.keys() - {"progress", "message"}:
        raise ValueError("not an object with these members alone")
    fraction, message = document.get("progress"), document.get("message")
    if fraction is not None and (type(fraction) not in (int, float) or not 0 <= fraction <= 1):
        raise ValueError("progress is no number from 0 to 1")
    if message is not None:
        if not isinstance(message, str):
            raise ValueError("message is no text")
        if len(message.encode()) > limits.PROGRESS_MESSAGE_BYTES:  # raises ValueError for a lone surrogate
            raise ValueError(f"message has over {limits.PROGRESS_MESSAGE_BYTES} bytes")
    return fraction, message


def _is_local(address: str | None) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
