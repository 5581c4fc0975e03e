"""Signatures of Standard Webhooks: an HMAC by each secret that is live, so that one can follow another."""

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Callable

from cortex_async import limits
from cortex_async.gateway.secret_folder import SecretFolder

log = logging.getLogger(__name__)

PREFIX = "whsec_"


class Signer:
    """Signs by the secrets in a folder; a file's name is told in logs, never its content."""

    def __init__(self, folder: str, clock: Callable[[], float]) -> None:
        self._folder = SecretFolder(folder, clock)
        self._keys: list[bytes] = []

    def headers(self, webhook_id: str, seconds: int, body: bytes) -> dict[str, str] | None:
        """Return the headers of a webhook that is sent at that time (since the epoch); None without any secret."""
        self._read_again()
        if not self._keys:
            return None
        signed = f"{webhook_id}.{seconds}.".encode() + body
        digests = [hmac.digest(key, signed, hashlib.sha256) for key in self._keys]
        signatures = [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(signatures),
        }

    def _read_again(self) -> None:
        files = self._folder.read_again()
        if files is None:
            return
        keys = {name: _key(text) for name, text in sorted(files.items())}
        for name, key in keys.items():
            if key is None:
                message = "a secret of webhooks is not whsec_ and at least 24 bytes in base64, and not used"
                log.error(message, extra={"key_name": name})
        self._keys = [key for key in keys.values() if key is not None]


def _key(text: bytes) -> bytes | None:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX.encode()), validate=True)
    except binascii.Error:
        return None
    return key if text.startswith(PREFIX.encode()) and len(key) >= limits.WEBHOOK_SECRET_BYTES else None
