"""Whatever comes as a head, a message or an id is refused or taken; FUZZ_EXAMPLES says how many."""

import asyncio
import json
import os
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_async.config import parse
from cortex_async.gateway.app import Gateway
from cortex_async.http.server import listening
from cortex_async.queue.message import NotOurs, decode
from cortex_async.request_id import RequestIds
from support.api_document import api_document
from support.memory import MemoryQueue, MemoryStore
from support.processes import free_port

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
HEADS_A_RUN = 50
CONFIG = parse(api_document({"gateway": {"endpoint": "/api"}}))

lines = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            *(b"Host: x", b"Content-Length: 3", b"Content-Length: 99999999999", b"Content-Length: -1"),
            *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Connection: close, upgrade"),
            *(b"Expect: 100-continue", b"Expect: \xff", b"Upgrade: h2c", b"Content-Encoding: gzip", b" folded"),
            *(b"X-Cortex-Request-ID: 1", b"X-A: \xe9", b"Range: bytes=0-", b"Cookie: a=b", b": empty"),
        ]
    ),
)
starts = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda method, path, version: b" ".join([method, path, version]),
        st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"CONNECT", b"get", b""]),
        st.one_of(
            st.sampled_from([b"/api", b"/api/x", b"*", b"//api", b"/api?%ff", b"/\xff"]), st.binary(max_size=20)
        ),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""]),
    ),
)
heads = st.builds(
    lambda start, fields, end, body: b"\r\n".join([start, *fields]) + end + body,
    starts,
    st.lists(lines, max_size=5),
    st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n", b""]),
    st.sampled_from([b"", b"{}", b"abc", b"1\r\na\r\n0\r\n\r\n", b"x\r\n"]),
)


@settings(max_examples=max(1, EXAMPLES // HEADS_A_RUN))
@given(st.lists(heads, min_size=HEADS_A_RUN, max_size=HEADS_A_RUN))
def test_no_head_of_a_request_meets_a_defect(sent: list[bytes]) -> None:
    async def run() -> list[bytes]:
        gateway = Gateway(CONFIG, MemoryStore(), 30)
        gateway.queue = MemoryQueue()
        port = free_port()
        async with asyncio.timeout(60), listening(gateway.application(), port, 30):
            return await asyncio.gather(*[exchange(port, head) for head in sent])

    for answer in asyncio.run(run()):
        assert not re.search(rb"HTTP/1.[01] 500", answer), answer
        assert b"Traceback" not in answer
        assert answer == b"" or re.match(rb"HTTP/1.[01] [1-5]\d\d ", answer), answer


async def exchange(port: int, sent: bytes) -> bytes:
    """Send, end, and read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


parts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
headers = st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=2), max_size=4)
documents = st.fixed_dictionaries(
    {"version": st.just(1), "id": st.text(max_size=40) | parts, "headers": headers | parts},
    optional={"query": st.text(max_size=20) | parts, "payload": st.just({"text": "x"}) | parts},
)


@settings(max_examples=EXAMPLES)
@given(documents.map(json.dumps) | st.text(max_size=100))
def test_no_message_gets_a_line_break_or_our_header_into_a_request(body: str) -> None:
    try:
        message = decode(body)
    except NotOurs:
        return
    texts = [message.query, *(text for header in message.headers for text in header)]
    assert not re.search("[\r\n\0]", "".join(texts))
    assert " " not in message.query
    assert "x-cortex-request-id" not in {name.lower().replace("_", "-") for name, _ in message.headers}


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=50) | st.uuids().map(str) | st.binary(max_size=20).map(lambda raw: raw.decode("latin-1")))
def test_no_text_passes_for_an_id(text: str) -> None:
    assert RequestIds("c", "a").issued_at(text) is None
