"""AWS Signature Version 4, as published in "Create a signed AWS API request" of the IAM user guide.

Tests hold it against botocore's signer, request by request. It is not botocore's own because that one took
as long as the rest of the call together: the figures are in the commit that added this file.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote


class Keys(Protocol):
    """What signing needs of a set of credentials."""

    access_key: str
    secret_key: str
    token: str | None


def hash_of(body: bytes | memoryview) -> str:
    """Return the SHA-256 of a body, as a signature names it."""
    return hashlib.sha256(body).hexdigest()


class Signer:
    """Signs requests to one service in one region; the day's signing key is kept."""

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._cached: tuple[tuple[str, str], bytes] | None = None
        self._second = (0, "")  # of the call before, and as it is written

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body_hash: str,
        keys: Keys,
        timestamp: float,
    ) -> dict[str, str]:
        """Return `headers` with the ones that authenticate the request.

        `path` and `query` are as they go over the wire: percent-encoded, the query sorted. `headers` have
        lower-case names, `host` among them; all of them are signed. `body_hash` is that of `hash_of`,
        `timestamp` in seconds since the epoch.
        """
        moment = self._moment(int(timestamp))
        signed = {**headers, "x-amz-date": moment, "x-amz-content-sha256": body_hash}
        if keys.token:
            signed["x-amz-security-token"] = keys.token
        names = sorted(signed)
        lines = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
        signed_names = ";".join(names)
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed_names}\n{body_hash}"
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = hmac.digest(self._signing_key(keys.secret_key, moment[:8]), to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={signed_names}, Signature={signature}"
        )
        return signed

    def presigned_query(
        self, method: str, path: str, headers: Mapping[str, str], keys: Keys, timestamp: float, seconds: int
    ) -> str:
        """Return the query by which anybody may make the call to S3, with any body, for so many seconds.

        The call must have these headers, `host` among them.
        """
        names = sorted(headers)
        lines = "".join([f"{name}:{headers[name]}\n" for name in names])
        moment = self._moment(int(timestamp))
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{keys.access_key}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": ";".join(names),
            **({"X-Amz-Security-Token": keys.token} if keys.token else {}),
        }
        query = "&".join(f"{name}={quote(parameters[name], safe='-_.~')}" for name in sorted(parameters))
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = hmac.digest(self._signing_key(keys.secret_key, moment[:8]), to_sign.encode(), "sha256").hex()
        return f"{query}&X-Amz-Signature={signature}"

    def _moment(self, second: int) -> str:
        if self._second[0] != second:
            self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ"))
        return self._second[1]

    def _signing_key(self, secret: str, day: str) -> bytes:
        if self._cached is None or self._cached[0] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._cached = ((secret, day), key)
        return self._cached[1]
