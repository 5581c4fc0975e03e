"""Reads a Secret as Kubernetes' own clients send it: helm 4 writes its releases in protobuf, not in JSON.

The numbers are those of the fields in Kubernetes' published message definitions.
"""

import base64
from collections.abc import Iterator
from typing import Any

_MAGIC = b"k8s\x00"


def read_secret(body: bytes) -> dict[str, Any]:
    assert body.startswith(_MAGIC)
    raw = next(value for number, value in _fields(body[4:]) if number == 2)
    secret: dict[str, Any] = {"metadata": {"labels": {}}, "data": {}}
    for number, value in _fields(raw):
        if number == 1:
            _read_metadata(value, secret["metadata"])
        elif number == 2:
            key, data = _entry(value)
            secret["data"][key.decode()] = base64.b64encode(data).decode()
        elif number == 3:
            secret["type"] = value.decode()
    return secret


def _read_metadata(body: bytes, metadata: dict[str, Any]) -> None:
    for number, value in _fields(body):
        if number in {1, 3}:
            metadata["name" if number == 1 else "namespace"] = value.decode()
        elif number == 11:
            key, text = _entry(value)
            metadata["labels"][key.decode()] = text.decode()


def _entry(body: bytes) -> tuple[bytes, bytes]:
    found = dict(_fields(body))
    return found.get(1, b""), found.get(2, b"")


def _fields(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields that have a length: their number and content."""
    at = 0
    while at < len(body):
        tag, at = _number(body, at)
        size, at = _number(body, at)
        if tag & 7 == 2:
            yield tag >> 3, body[at : at + size]
            at += size


def _number(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
