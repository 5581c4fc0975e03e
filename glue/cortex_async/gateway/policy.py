"""What a client may ask for one request, by headers, within what the values allow: see schemas/openapi.yaml."""

import hashlib
import re

from aiohttp import web
from multidict import istr

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.gateway.errors import Rejected
from cortex_async.queue.message import AS_THE_API, Policy
from cortex_async.queue.protocol import AT_ONCE, Sending

TIMEOUT = istr("X-Cortex-Timeout-Seconds")
TTL = istr("X-Cortex-TTL-Seconds")
MAX_ATTEMPTS = istr("X-Cortex-Max-Attempts")
DELAY = istr("X-Cortex-Delay-Seconds")

_GROUP_ID = re.compile(r"[!-~]{1,128}")


class Policies:
    """Reads the headers, and holds them to the limits of one API."""

    def __init__(self, config: ApiConfig) -> None:
        queue = config.queue
        self._is_fifo = (queue.url or "").endswith(".fifo")
        self._group_header = None if self._is_fifo else queue.fairness_header
        self._most_timeout = config.gateway.request_timeout_seconds or limits.SQS_VISIBILITY_SECONDS
        self._most_ttl = config.storage.retention_days * limits.SECONDS_A_DAY
        self._most_attempts = queue.max_attempts

    def asked(self, request: web.Request) -> Policy:
        """Return the policy that the headers ask for; raises Rejected (400)."""
        headers = request.headers
        if not (TIMEOUT in headers or TTL in headers or MAX_ATTEMPTS in headers):
            return AS_THE_API
        return Policy(
            _number(request, TIMEOUT, self._most_timeout, "pod.request_timeout"),
            _number(request, TTL, self._most_ttl, "storage.retentionDays"),
            _number(request, MAX_ATTEMPTS, self._most_attempts, "queue.maxAttempts"),
        )

    def sending(self, request: web.Request) -> Sending:
        """Return how the message is to be sent; raises Rejected (400)."""
        headers = request.headers
        group = headers.get(self._group_header) if self._group_header is not None else None
        if group is None and DELAY not in headers:
            return AT_ONCE
        return Sending(self._delay_seconds(request), _group_id(group) if group else None)

    def _delay_seconds(self, request: web.Request) -> int:
        """Return for how long the request is to stay in the queue at least; raises Rejected (400)."""
        if DELAY not in request.headers:
            return 0
        if self._is_fifo:
            message = f"{DELAY} cannot be met: the queue is FIFO, and SQS delays no single message there"
            raise Rejected(400, "delay_not_supported", message)
        return _number(request, DELAY, limits.SQS_DELAY_SECONDS, "SQS", least=0) or 0


def _group_id(text: str) -> str:
    """Return a MessageGroupId for any text: SQS takes letters, digits and punctuation (SendMessage)."""
    if _GROUP_ID.fullmatch(text):
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _number(request: web.Request, name: str, most: int, limit: str, least: int = 1) -> int | None:
    text = request.headers.get(name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else -1
    if not least <= number <= most:
        raise Rejected(
            400, "invalid_policy", f"{name} must be a number from {least} to {most}, the limit of {limit}"
        )
    return number
