"""`POST <endpoint>`: a request becomes a message, and its payload an object when it is large."""

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import suppress

from aiohttp import web

from cortex_async import limits
from cortex_async.config import ApiConfig
from cortex_async.errors import AwsError, AwsRefused, QueueMissing
from cortex_async.gateway.errors import ID, Rejected
from cortex_async.gateway.idempotency import Claims, Fingerprint, key_of
from cortex_async.gateway.payload import IncomingPayload, too_large
from cortex_async.gateway.policy import Policies
from cortex_async.gateway.references import HEADER as REFERENCE
from cortex_async.gateway.references import References
from cortex_async.gateway.uploads import HEADER as UPLOAD
from cortex_async.gateway.uploads import Uploads
from cortex_async.gateway.webhooks.receivers import Receivers
from cortex_async.http.headers import Headers, as_text, kept
from cortex_async.queue.message import Message
from cortex_async.queue.protocol import Queue, Sending
from cortex_async.request_id import RequestIds
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import Store
from cortex_async.storage.request_memory import RequestMemory


class Submission:
    """Accepts requests for one API; `changed` has the last word on the headers that are queued."""

    def __init__(
        self,
        config: ApiConfig,
        ids: RequestIds,
        store: Store,
        uploads: Uploads,
        stall_seconds: float,
        budget: MemoryBudget,
        changed: Callable[[Headers], Headers] | None = None,
    ) -> None:
        self._changed = changed
        self._budget = budget
        self._ids = ids
        self._claims = Claims(config, ids, store)
        self._policies = Policies(config)
        self._receivers = Receivers(config.gateway.webhooks)
        self._store = store
        self._uploads = uploads
        self._references = References(config, store)
        self._inline_limit = config.queue.inline_limit_bytes
        self._limit = config.gateway.max_payload_mib * limits.MIB
        self._sensitive = config.gateway.sensitive_headers == "forward"
        self._has_keys = config.gateway.api_keys is not None
        self._stall_seconds = stall_seconds

    async def accept(self, request: web.Request, queue: Queue) -> str:
        """Put the request on the queue and return its id; raises Rejected, NoMemory or AwsError."""
        self.check_length(request)
        headers = self._headers(request)
        with RequestMemory(self._budget) as memory:
            return await self._accept(request, queue, headers, memory)

    async def _accept(self, request: web.Request, queue: Queue, headers: Headers, memory: RequestMemory) -> str:
        request_id = request[ID] = self._ids.issue()
        key = key_of(request)
        policy, how = self._policies.asked(request), self._policies.sending(request)
        callback = self._receivers.asked(request)
        if UPLOAD in request.headers or REFERENCE in request.headers:
            known = Message(request_id, headers, "", None, 0, policy=policy, callback_url=callback)
            return await self._accept_from_s3(request, queue, known, how)
        fingerprint = None if key is None else Fingerprint(request)
        payload = IncomingPayload(request, self._limit, self._stall_seconds, fingerprint)
        is_checked = key is not None
        begun, complete = await payload.begin(self._inline_limit, memory)
        query = request.rel_url.raw_query_string
        message = Message(request_id, headers, query, begun, len(begun), is_checked, None, policy, callback)
        body = message.encode() if complete else ""
        if complete and len(body.encode()) <= self._inline_limit:
            if key is not None and fingerprint is not None:
                return await self._send_once(request, queue, message, key, fingerprint.digest(), how)
            await queue.send(request_id, body, how)
            return request_id
        del message
        reference = Message(request_id, headers, query, None, self._limit, is_checked, None, policy, callback)
        if len(reference.encode().encode()) > limits.SQS_BATCH_BYTES:
            raise Rejected(431, "headers_too_large", "the headers do not fit into a message of the queue")
        source = payload.source(begun, memory)
        del begun, body  # an upload may be long, and one of many
        size = await self._store.put_payload(request_id, source, request.content_length)
        try:
            message = dataclasses.replace(reference, size=size)
            if key is not None and fingerprint is not None:
                return await self._send_once(request, queue, message, key, fingerprint.digest(), how)
            await queue.send(request_id, message.encode(), how)
        except (AwsRefused, QueueMissing, Rejected):
            # after another AwsUnavailable the message may be on the queue, and needs its payload
            with suppress(AwsError):
                await self._store.delete_payload(request_id)
            raise
        return request_id

    async def _accept_from_s3(self, request: web.Request, queue: Queue, begun: Message, how: Sending) -> str:
        """Put a request on the queue whose payload is in S3; `begun` is what is known of it already."""
        key = key_of(request)
        query = request.rel_url.raw_query_string
        begun = dataclasses.replace(begun, query=query, is_checked=key is not None)
        message, payload = await self._with_payload_of_s3(request, begun)
        if message.size > self._limit:
            raise too_large(self._limit)
        body = message.encode()
        if len(body.encode()) > limits.SQS_BATCH_BYTES:
            raise Rejected(431, "headers_too_large", "the headers do not fit into a message of the queue")
        if key is not None:
            return await self._send_once(request, queue, message, key, Fingerprint(request, payload).digest(), how)
        await queue.send(message.id, body, how)
        return message.id

    async def _with_payload_of_s3(self, request: web.Request, begun: Message) -> tuple[Message, str]:
        """Return the message with an upload or a reference for its payload, and what that is known by."""
        if REFERENCE not in request.headers:
            upload_id, size = await self._uploads.uploaded(request)
            return dataclasses.replace(begun, size=size, payload_id=upload_id), upload_id
        if UPLOAD in request.headers:
            raise Rejected(400, "invalid_reference", f"a submission has {UPLOAD} or {REFERENCE}, not both")
        reference, found = await self._references.found(request)
        others = tuple(each for each in begun.headers if each[0].lower() != "content-type")
        headers = (*others, ("Content-Type", found.content_type)) if found.content_type else others
        message = dataclasses.replace(begun, headers=headers, size=found.size, reference=reference)
        return message, f"{reference.url} {reference.etag}"

    async def _send_once(
        self, request: web.Request, queue: Queue, message: Message, key: str, digest: str, how: Sending
    ) -> str:
        """Put a request on the queue under the id of its key, unless it has ended; return that id."""
        request_id = await self._claims.claim(key, digest, message.id)
        request[ID] = request_id
        if request_id != message.id:
            if await self._store.has_result(request_id):
                if message.is_stored:
                    with suppress(AwsError):
                        await self._store.delete_payload(message.stored_under)
                return request_id
            payload_id = message.stored_under if message.is_stored else None
            message = dataclasses.replace(message, id=request_id, payload_id=payload_id)
        await queue.send(request_id, message.encode(), how)
        return request_id

    def check_length(self, request: web.Request) -> None:
        """Raise Rejected when the body is announced larger than the limit."""
        if request.content_length is not None and request.content_length > self._limit:
            raise too_large(self._limit)

    def _headers(self, request: web.Request) -> Headers:
        try:
            request.rel_url.raw_query_string.encode()
        except UnicodeEncodeError as error:
            raise Rejected(400, "not_utf8", "the query must be UTF-8") from error
        received: Iterable[tuple[str, str]] = request.headers.items()
        if self._has_keys:  # they are the gateway's own
            received = ((name, value) for name, value in received if name.lower() != "authorization")
        headers = kept(received, sensitive=self._sensitive)
        texts = tuple((name, as_text(value)) for name, value in headers)
        return texts if self._changed is None else self._changed(texts)
