"""The queue message: one request as a JSON document (schemas/message.schema.json).

A payload goes inside as text when it is UTF-8, else as base64, as long as the whole message stays within the
inline limit; a larger one is in the bucket, and the message only tells its size. Or it is an object of S3 that the
client named, and the message tells which.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

from cortex_async.errors import CortexError
from cortex_async.http.headers import Headers, kept
from cortex_async.payload_reference import PayloadReference, parse_reference

VERSION = 1
_POLICY_NAMES = {
    "timeoutSeconds": "timeout_seconds",
    "ttlSeconds": "ttl_seconds",
    "maxAttempts": "max_attempts",
}

# Code points that SQS refuses in a message body (API reference, SendMessage), and JSON does not escape.
_REFUSED_BY_SQS = re.compile("[\ufffe\uffff\ud800-\udfff]")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


# What would end a line, or a request line's target (RFC 9110, sections 5.1 and 5.5; RFC 9112, section 3).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_FIELD_VALUE = re.compile("[\0\r\n\ud800-\udfff]")
_NOT_IN_A_TARGET = re.compile("[\0-\x20\x7f\ud800-\udfff]")


class NotOurs(CortexError):
    """A message that no gateway of this version wrote."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client asks for one request; None: as the API has it.

    `timeout_seconds` is how long an attempt may take, `ttl_seconds` how long after its submission one may begin.
    """

    timeout_seconds: int | None = None
    ttl_seconds: int | None = None
    max_attempts: int | None = None


AS_THE_API = Policy()


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it travels: `payload` is None when it is in the bucket, and then `size` (bytes) counts it.

    `payload_id` is the id that it is in the bucket under, if not the request's own. `is_checked` says that the
    request may be on the queue several times, so that only one of its messages may begin. `callback_url` is where
    the client wants its webhooks. `reference` is the object that is the payload, when that is neither in the
    message nor in the API's part of the bucket.
    """

    id: str
    headers: Headers
    query: str
    payload: bytes | None
    size: int
    is_checked: bool = False
    payload_id: str | None = None
    policy: Policy = AS_THE_API
    callback_url: str | None = None
    reference: PayloadReference | None = field(default=None, kw_only=True)

    @property
    def is_stored(self) -> bool:
        """Whether the payload is in the API's part of the bucket, and goes with the request."""
        return self.payload is None and self.reference is None

    @property
    def stored_under(self) -> str:
        """The id under which the payload is in the bucket."""
        return self.payload_id or self.id

    @property
    def may_be_stored_under(self) -> set[str]:
        """All ids under which the payload may be: a submission under the same key may have left it, and failed."""
        return {self.stored_under, self.id} if self.is_checked else {self.stored_under}

    @property
    def traceparent(self) -> str | None:
        """The header of that name (W3C Trace Context)."""
        return next((value for name, value in self.headers if name.lower() == "traceparent"), None)

    def encode(self) -> str:
        """Return the message body."""
        document: dict[str, Any] = {
            "version": VERSION,
            "id": self.id,
            "headers": self.headers,
            "query": self.query,
        }
        document["payload"] = self._payload_part()
        if self.is_checked:
            document["check"] = True
        if self.payload_id is not None:
            document["payloadId"] = self.payload_id
        if self.policy is not AS_THE_API:
            names = _POLICY_NAMES.items()
            document["policy"] = {key: value for key, name in names if (value := getattr(self.policy, name))}
        if self.callback_url is not None:
            document["callbackUrl"] = self.callback_url
        text = _encode(document)
        if _REFUSED_BY_SQS.search(text):
            text = json.dumps(document, separators=(",", ":"))
        return text

    def _payload_part(self) -> dict[str, Any]:
        if self.payload is not None:
            return _inline(self.payload)
        if self.reference is not None:
            return {"object": {"url": self.reference.url, "etag": self.reference.etag, "size": self.size}}
        return {"size": self.size}


def decode(body: str) -> Message:
    """Read a message body; raises NotOurs, with a reason that does not quote the body."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotOurs("the message is not JSON") from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise NotOurs(f"the message is not an object of version {VERSION}")
    try:
        payload, size, reference = _payload_of(document["payload"])
        headers = kept(_headers_of(document["headers"]), sensitive=True)  # whoever wrote them
        payload_id, callback_url = document.get("payloadId"), document.get("callbackUrl")
        return Message(
            _text(document["id"]),
            headers,
            _query_of(document["query"]),
            payload,
            size,
            is_checked=document.get("check") is True,
            payload_id=None if payload_id is None else _text(payload_id),
            policy=_policy_of(document["policy"]) if "policy" in document else AS_THE_API,
            callback_url=None if callback_url is None else _text(callback_url),
            reference=reference,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NotOurs(f"the message lacks a part, or has one of another type: {type(error).__name__}") from error


def _inline(payload: bytes) -> dict[str, Any]:
    encoded_size = 4 * ((len(payload) + 2) // 3)
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        pass
    else:
        # Characters that JSON escapes can make text longer than base64, at most sixfold.
        if (
            len(payload) * 6 <= encoded_size
            or len(json.dumps(text, ensure_ascii=False).encode()) - 2 <= encoded_size
        ):
            return {"text": text}
    return {"base64": base64.b64encode(payload).decode()}


def _payload_of(part: Any) -> tuple[bytes | None, int, PayloadReference | None]:
    if not isinstance(part, dict):
        raise TypeError
    ((kind, value),) = part.items()
    if kind == "size":
        return None, _size_of(value), None
    if kind == "object":
        if not isinstance(value, dict):
            raise TypeError
        reference = parse_reference(_text(value["url"]), _text(value["etag"]))
        if not reference.etag:
            raise ValueError
        return None, _size_of(value["size"]), reference
    if kind == "text":
        payload = _text(value).encode()
    elif kind == "base64":
        try:
            payload = base64.b64decode(_text(value), validate=True)
        except binascii.Error as error:
            raise ValueError from error
    else:
        raise ValueError
    return payload, len(payload), None


def _size_of(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _headers_of(part: Any) -> Headers:
    if not isinstance(part, list) or not all(isinstance(pair, list) for pair in part):
        raise TypeError
    headers = tuple((_text(name), _text(value)) for name, value in part)
    if not all(_TOKEN.fullmatch(name) and not _NO_FIELD_VALUE.search(value) for name, value in headers):
        raise ValueError
    return headers


def _policy_of(part: Any) -> Policy:
    if not isinstance(part, dict) or not all(type(value) is int and value > 0 for value in part.values()):
        raise TypeError
    return Policy(**{_POLICY_NAMES[key]: value for key, value in part.items()})


def _query_of(value: Any) -> str:
    query = _text(value)
    if _NOT_IN_A_TARGET.search(query):
        raise ValueError
    return query


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
