"""Objects that payloads refer to: they are read, in whatever bucket they are, and never written or deleted."""

import functools
from collections.abc import AsyncIterator

import aiohttp

from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import S3
from cortex_async.backoff import RetryPolicy
from cortex_async.errors import ObjectDamaged, ObjectExists
from cortex_async.payload_reference import PayloadReference
from cortex_async.storage.protocol import Referenced
from cortex_async.storage.reading import pieces


class S3References:
    """Reads them; a refusal is raised at once, whatever the policy says: the bucket may be somebody else's."""

    def __init__(self, session: AwsSession, policy: RetryPolicy) -> None:
        self._session = session
        self._policy = policy
        self._buckets: dict[str, S3] = {}  # no more than are allowed

    async def find(self, reference: PayloadReference) -> Referenced:
        """See `Store.find_reference`."""
        headers = await self._bucket(reference).head(reference.key, is_optional=True)
        etag = headers["ETag"].strip('"')  # some servers leave the quotes out
        return Referenced(f'"{etag}"', int(headers["Content-Length"]), headers.get("Content-Type", ""))

    def pieces(self, reference: PayloadReference, size: int) -> AsyncIterator[bytes]:
        """See `Store.referenced`."""
        return pieces(functools.partial(self._open, reference), size, self._policy)

    async def _open(self, reference: PayloadReference, start: int) -> aiohttp.ClientResponse:
        try:
            return await self._bucket(reference).open(reference.key, start, etag=reference.etag, is_optional=True)
        except ObjectExists as error:  # a 412: the one that was meant is there no more
            message = "the object has another ETag"
            raise ObjectDamaged(error.operation, error.status, error.code, message) from error

    def _bucket(self, reference: PayloadReference) -> S3:
        name = reference.bucket
        if name not in self._buckets:
            self._buckets[name] = S3(self._session, name, self._policy)
        return self._buckets[name]
