"""API keys: a call needs one of those in a folder, as `Authorization: Bearer <key>`; each makes so many a second.

Each file of the folder is a key; a file's name is told in logs, never its content.
"""

import hashlib
import hmac
import logging
import math
from collections.abc import Callable

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiKeysConfig
from cortex_async.gateway.errors import Handler, Rejected
from cortex_async.gateway.secret_folder import SecretFolder

log = logging.getLogger(__name__)


class ApiKeys:
    """The keys that are valid, and how many calls each has left."""

    def __init__(self, config: ApiKeysConfig, guarded: str, clock: Callable[[], float]) -> None:
        self._folder = SecretFolder(config.folder, clock)
        self._rate = config.requests_per_second
        self._guarded = guarded
        self._clock = clock
        self._digests: dict[str, bytes] = {}
        self._buckets: dict[str, tuple[float, float]] = {}  # calls that are left, and when

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a call pass, or raise Rejected: 401 without a valid key, 429 for too many calls."""
        if self.applies_to(request):
            self._take_one(self.check(request))
        return await handler(request)

    def applies_to(self, request: web.Request) -> bool:
        """Whether a call needs a key: one of the API itself, but for a preflight, which can have none."""
        path = request.path
        is_guarded = path == self._guarded or path.startswith(self._guarded + "/")
        return is_guarded and request.method != "OPTIONS"

    def check(self, request: web.Request) -> str:
        """Return the name of the key that a call has; raises Rejected (401)."""
        self._read_again()
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        found = [name for name, digest in self._digests.items() if hmac.compare_digest(given, digest)]
        if not found or scheme.lower() != "bearer":
            message = "an API key is needed: Authorization: Bearer <key>"
            raise Rejected(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
        return found[0]

    def _take_one(self, name: str) -> None:
        if self._rate is None:
            return
        burst = max(1.0, self._rate)
        now = self._clock()
        left, since = self._buckets.get(name, (burst, now))
        left = min(burst, left + (now - since) * self._rate)
        if left < 1:
            seconds = str(math.ceil((1 - left) / self._rate))
            message = f"the API key may make {self._rate:g} calls a second"
            raise Rejected(429, "rate_limited", message, {"Retry-After": seconds})
        self._buckets[name] = left - 1, now

    def _read_again(self) -> None:
        keys = self._folder.read_again()
        if keys is None:
            return
        for name in sorted(name for name, key in keys.items() if len(key) < limits.API_KEY_CHARACTERS):
            log.error("an API key is shorter than 16 characters, and not valid", extra={"key_name": name})
            del keys[name]
        self._digests = {name: hashlib.sha256(key).digest() for name, key in keys.items()}
