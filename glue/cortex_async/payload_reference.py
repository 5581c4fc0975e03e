"""A payload by reference: the object of S3 that a submission names instead of having a body."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cortex_async import limits

_URL = re.compile("s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\0-\x1f\x7f\ud800-\udfff]+)")
_ETAG = re.compile('"[!#-~]{1,255}"')


@dataclass(frozen=True, slots=True)
class PayloadReference:
    """An object by bucket and key; `etag` is that of the content that is meant, quoted as in HTTP, "" for any."""

    bucket: str
    key: str
    etag: str = ""

    @property
    def url(self) -> str:
        """As `s3://<bucket>/<key>`."""
        return f"s3://{self.bucket}/{self.key}"

    def is_within(self, prefixes: Iterable[str]) -> bool:
        """Whether one of these, each of which ends with a slash, is the begin of the URL."""
        return self.url.startswith(tuple(prefixes))


def parse_reference(url: str, etag: str = "") -> PayloadReference:
    """Read `s3://<bucket>/<key>`, the key as it is; raises ValueError.

    A key with `.` or `..` between slashes is none: proxies may resolve these, and so leave a prefix.
    """
    found = _URL.fullmatch(url)
    if found is None or len(found[2].encode()) > limits.S3_KEY_BYTES or {".", ".."} & set(found[2].split("/")):
        raise ValueError(f"expected s3://<bucket>/<key>, got {url!r}")
    if etag and not _ETAG.fullmatch(etag):
        raise ValueError("expected an ETag in quotes")
    return PayloadReference(found[1], found[2], etag)
