"""`POST <endpoint>/uploads`: a large payload goes to S3 itself, and is submitted by the id of its upload."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from aiohttp import web
from multidict import istr

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.gateway.errors import ID, Rejected
from cortex_async.request_id import RequestIds
from cortex_async.storage.protocol import Store

HEADER = istr("X-Cortex-Upload-ID")


class Uploads:
    """The uploads of one API; the object of one is the payload of the request that it is submitted as."""

    def __init__(self, config: ApiConfig, ids: RequestIds, store: Store) -> None:
        self._ids = ids
        self._store = store
        self._is_enabled = config.gateway.uploads
        self._most = config.gateway.max_payload_mib * limits.MIB

    async def begin(self, request: web.Request) -> web.Response:
        """Respond with a presigned URL for a payload of the size that the call names; raises Rejected."""
        size = self._size(await _body(request))
        upload_id = request[ID] = self._ids.issue()
        url = await self._store.upload_url(upload_id, size)
        expires = datetime.now(UTC) + timedelta(seconds=limits.PRESIGNED_SECONDS)
        document = {"id": upload_id, "upload_url": url, "expires_at": expires.isoformat(timespec="seconds")}
        return web.json_response(document)

    async def uploaded(self, request: web.Request) -> tuple[str, int]:
        """Return the upload that a submission names, and its size in bytes; raises Rejected."""
        upload_id = request.headers[HEADER]
        if not self._is_enabled:
            raise Rejected(400, "invalid_upload", "this API takes no uploads (gateway.uploads)")
        if self._ids.issued_at(upload_id) is None:
            raise Rejected(400, "invalid_upload", f"{HEADER} is no id of an upload to this API")
        if request.can_read_body:
            raise Rejected(400, "invalid_upload", f"a submission with {HEADER} must have no body")
        size = await self._store.payload_size(upload_id)
        if size is None:
            message = "nothing was uploaded under that id, or it has been processed already"
            raise Rejected(400, "invalid_upload", message)
        return upload_id, size

    def _size(self, body: bytes) -> int:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        size = document.get("size") if isinstance(document, dict) else None
        if isinstance(size, float) and size.is_integer():  # 5.0 is an integer to JSON Schema
            size = int(size)
        if type(size) is not int or size < 0:
            raise Rejected(400, "invalid_upload", 'expected {"size": the number of bytes that will be uploaded}')
        if size > min(self._most, limits.S3_PUT_BYTES):
            raise Rejected(413, "payload_too_large", "the payload is over gateway.maxPayloadMiB, or S3's 5 GiB")
        return size


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) > limits.UPLOAD_REQUEST_BYTES or "Transfer-Encoding" in request.headers:
        raise Rejected(
            400, "invalid_upload", "the payload itself goes to the upload_url that this call is answered with"
        )
    try:
        async with asyncio.timeout(limits.STALLED_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise Rejected(408, "stalled", "the body did not come in time") from error
