"""`Idempotency-Key`: who submits again under the same key gets the id of the first time, and nothing runs twice.

The id is claimed by an object that only one submission can write. Whoever comes later finds the id there, and puts
the request on the queue again unless it has ended: the first may have died before it did so. The messages say that
they must be checked, and the dispatcher lets only the first of them begin.
"""

import hashlib

from aiohttp import web
from multidict import istr

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.gateway.errors import Rejected
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Claim, Store

HEADER = istr("Idempotency-Key")


class Fingerprint:
    """What a submission holds: its Content-Type, query and body.

    `payload` names a payload that is in S3 already.
    """

    def __init__(self, request: web.Request, payload: str | None = None) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        for part in (request.headers.get("Content-Type", ""), request.rel_url.raw_query_string):
            self._hash.update(part.encode("utf-8", "surrogateescape") + b"\0")
        if payload is not None:  # in the place of the body
            self._hash.update(b"\0" + payload.encode())

    def add(self, piece: bytes | memoryview) -> None:
        """Take a piece of the body."""
        self._hash.update(piece)

    def digest(self) -> str:
        """Return it for what has come so far."""
        return self._hash.hexdigest()


class Claims:
    """Who holds which key, for as long as results are kept."""

    def __init__(self, config: ApiConfig, ids: RequestIds, store: Store) -> None:
        self._ids = ids
        self._store = store
        self._retention_seconds = config.storage.retention_days * limits.SECONDS_A_DAY

    async def claim(self, key: str, digest: str, request_id: str) -> str:
        """Return the id that belongs to the key: `request_id` if nobody was first.

        Raises Rejected (422) when the key belongs to a submission with another content.
        """
        name = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        wanted = Claim(request_id, digest)
        held = await self._store.claim(name, wanted)
        while not self._ids.is_current(held.request_id, self._retention_seconds):  # the lifecycle rule is late
            held = await self._store.claim(name, wanted, instead_of=held)
        if held.digest != digest:
            message = f"the {HEADER} was used before, for a request with another content"
            raise Rejected(422, "idempotency_key_reused", message)
        return held.request_id


def key_of(request: web.Request) -> str | None:
    """Return the key that the client gives; raises Rejected (400) for one that is empty or too long."""
    key = request.headers.get(HEADER)
    if key is not None and not 0 < len(key) <= limits.IDEMPOTENCY_KEY_CHARACTERS:
        most = limits.IDEMPOTENCY_KEY_CHARACTERS
        raise Rejected(400, "invalid_idempotency_key", f"the {HEADER} must have 1 to {most} characters")
    return key
