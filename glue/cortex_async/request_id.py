"""Request ids that carry what the gateway must know of them: when they were issued, and for which API.

An id is a UUID of version 8 (RFC 9562, section 5.8), from the most significant bit on:

====  =====================================================================
bits  meaning
====  =====================================================================
  48  time of submission, milliseconds since the Unix epoch
   4  version (8)
  12  random
   2  variant
  38  random
  24  checksum of the other bits, keyed by cluster and API
====  =====================================================================

The checksum tells a typo, or an id of another API, from an id that was issued here (1 in 16.8 million wrong
ones passes). It is not a secret: who knows the names can make ids. 50 random bits in each millisecond keep
the chance of a collision below 1e-9 for a thousand submissions in the same millisecond.
"""

import hashlib
import os
import re
import time

from cortex_async import limits

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def milliseconds_of(request_id: str) -> int:
    """Return when an id that was issued was issued, in milliseconds since the epoch."""
    return int(request_id[:8] + request_id[9:13], 16)


class RequestIds:
    """Issues and checks the ids of one API of one cluster."""

    def __init__(self, cluster_name: str, api_name: str) -> None:
        self._key = hashlib.blake2s(f"{cluster_name}\n{api_name}".encode()).digest()

    def issue(self, now: float | None = None) -> str:
        """Make a new id for a request submitted at `now` (seconds since the epoch; default: this moment)."""
        milliseconds = int((time.time() if now is None else now) * 1000)
        random = int.from_bytes(os.urandom(7)) >> 6
        high = milliseconds << 16 | 0x8000 | random >> 38
        low = (0b10 << 38 | random & (1 << 38) - 1) << 24
        value = high << 64 | low
        digits = f"{value | self._checksum(value):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def issued_at(self, text: str) -> float | None:
        """Return when `text` was issued, in seconds since the epoch; None when it is no id of this API.

        Only the canonical spelling (lower case, with hyphens) is an id: it becomes part of an object's key.
        """
        if not _CANONICAL.fullmatch(text):
            return None
        value = int(text.replace("-", ""), 16)
        if value & 0xFFFFFF != self._checksum(value & ~0xFFFFFF):
            return None
        return (value >> 80) / 1000

    def is_current(self, text: str, retention_seconds: float, now: float | None = None) -> bool:
        """Whether `text` is an id of this API, not older than the retention and not from the future.

        Five minutes of the future are allowed, for gateways whose clocks differ.
        """
        issued_at = self.issued_at(text)
        if issued_at is None:
            return False
        age = (time.time() if now is None else now) - issued_at
        return -limits.ID_FUTURE_SECONDS <= age <= retention_seconds

    def _checksum(self, value: int) -> int:
        return int.from_bytes(hashlib.blake2s(value.to_bytes(16), key=self._key, digest_size=3).digest())
