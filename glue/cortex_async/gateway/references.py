"""`X-Cortex-Payload-Ref: s3://bucket/key`: a submission whose payload is an object of S3, which is only read."""

from aiohttp import web
from multidict import istr

from cortex_async.config import ApiConfig
from cortex_async.errors import AwsRefused, ObjectMissing
from cortex_async.gateway.errors import Rejected
from cortex_async.http.headers import as_text
from cortex_async.payload_reference import PayloadReference, parse_reference
from cortex_async.storage.protocol import Referenced, Store

HEADER = istr("X-Cortex-Payload-Ref")


class References:
    """The payloads that one API may be given by reference: those below the prefixes of the values."""

    def __init__(self, config: ApiConfig, store: Store) -> None:
        self._allowed = config.storage.payload_references
        self._store = store

    async def found(self, request: web.Request) -> tuple[PayloadReference, Referenced]:
        """Return what a submission names, pinned to its content of now, and what S3 says; raises Rejected."""
        reference = self._asked(request)
        try:
            found = await self._store.find_reference(reference)
            return parse_reference(reference.url, found.etag), found
        except ObjectMissing as error:
            raise Rejected(404, "reference_missing", f"{HEADER}: there is no such object") from error
        except AwsRefused as error:
            message = (
                f"{HEADER}: the gateway may not read that object, or it is not there (HTTP {error.status}); "
                "its role needs s3:GetObject, and the bucket must be of the region of the API"
            )
            raise Rejected(403, "reference_unreadable", message) from error

    def _asked(self, request: web.Request) -> PayloadReference:
        if not self._allowed:
            message = "this API takes no payloads by reference (gateway.payloadReferences)"
            raise Rejected(400, "invalid_reference", message)
        if request.can_read_body:
            raise Rejected(400, "invalid_reference", f"a submission with {HEADER} must have no body")
        try:
            reference = parse_reference(as_text(request.headers[HEADER]))
        except ValueError as error:
            message = f"{HEADER} must be s3://<bucket>/<key>, its key in UTF-8, without . or .. between slashes"
            raise Rejected(400, "invalid_reference", message) from error
        if not reference.is_within(self._allowed):
            message = f"{HEADER}: that object is not below one of gateway.payloadReferences"
            raise Rejected(403, "reference_not_allowed", message)
        return reference
