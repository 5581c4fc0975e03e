"""What a client may ask for one request, by headers, within what the values allow: see schemas/openapi.yaml."""

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.gateway.errors import Rejected
from cortex_async.queue.message import AS_THE_API, Policy

TIMEOUT = "X-Cortex-Timeout-Seconds"
TTL = "X-Cortex-TTL-Seconds"
MAX_ATTEMPTS = "X-Cortex-Max-Attempts"
DELAY = "X-Cortex-Delay-Seconds"


class Policies:
    """Reads the headers, and holds them to the limits of one API."""

    def __init__(self, config: ApiConfig) -> None:
        queue = config.queue
        self._is_fifo = (queue.url or "").endswith(".fifo")
        self._most_timeout = config.pod.request_timeout_seconds or limits.SQS_VISIBILITY_SECONDS
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

    def delay_seconds(self, request: web.Request) -> int:
        """Return for how long the request is to stay in the queue at least; raises Rejected (400)."""
        if DELAY not in request.headers:
            return 0
        if self._is_fifo:
            message = f"{DELAY} cannot be met: the queue is FIFO, and SQS delays no single message there"
            raise Rejected(400, "delay_not_supported", message)
        return _number(request, DELAY, limits.SQS_DELAY_SECONDS, "SQS", least=0) or 0


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
