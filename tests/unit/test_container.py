"""What a container answers beside plain HTTP: too early, cut short, or nothing that can be read."""

import asyncio
import contextlib
import gzip
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from cortex_async.dispatcher.attempt import Verdict
from cortex_async.dispatcher.container import Container
from cortex_async.dispatcher.outcome import Action
from cortex_async.errors import ObjectExists, ObjectTooLarge, UploadLost
from cortex_async.http.overrides import InvalidResponse, ReadingSocket
from cortex_async.queue.message import Message
from cortex_async.storage.protocol import Status
from support.dispatching import attempts, in_flight, taken
from support.memory import MemoryQueue, MemoryStore

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
REJECTED = b"HTTP/1.1 422 Unprocessable\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 65536


def message(payload: bytes | None, size: int) -> Message:
    return Message("id", (), "", payload, size)


@contextlib.asynccontextmanager
async def answering(*pieces: bytes, go_on: asyncio.Event | None = None) -> AsyncIterator[Container]:
    """A container that sends the pieces, each after the first when `go_on` is set, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if go_on:
                await go_on.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        container = Container(server.sockets[0].getsockname()[1])
        try:
            yield container
        finally:
            await container.close()


async def attempt_on(*pieces: bytes, error: Exception | None = None) -> tuple[Verdict, bytes | None]:
    """Make one attempt; return its verdict and the stored result. `error` is what storing it ends with."""

    async def fail() -> None:
        if error is not None:
            raise error

    store, requests = MemoryStore(before={"put_result": fail}), in_flight(MemoryQueue())
    request = taken(requests, store, message(b"{}", 2))
    async with answering(*pieces) as container, asyncio.timeout(60):
        verdict = await attempts(store, container, requests).run(request)
    if "id" not in store.results:
        return verdict, None
    metadata, body = store.results["id"]
    assert (metadata.status, metadata.attempt) == (Status.COMPLETED, 1)
    return verdict, body


async def test_answer_given_before_the_payload_was_read_is_not_lost() -> None:
    """The server closes with the payload unread, which resets the connection before the answer is read."""
    listener = socket.create_server(("127.0.0.1", 0))
    closed = threading.Event()

    def serve() -> None:
        connection = listener.accept()[0]
        connection.recv(1)
        connection.sendall(REJECTED + b"Content-Length: 2\r\n\r\nno")
        connection.close()
        closed.set()

    async def payload() -> AsyncIterator[bytes]:
        yield PIECE
        closed.wait(30)  # the event loop, too: it cannot read before the next piece is written
        yield PIECE
        yield PIECE

    serving = threading.Thread(target=serve)
    serving.start()
    container = Container(listener.getsockname()[1])
    async with container.post(message(None, 3 * len(PIECE)), payload()) as response:
        assert (response.status, await response.read()) == (422, b"no")
    await container.close()
    serving.join()
    listener.close()


@pytest.mark.parametrize("method", ["send", "sendmsg"])  # asyncio's, until Python 3.11 and from 3.12 on
def test_what_a_reset_connection_does_not_take_goes_nowhere(method: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ReadingSocket() as sending:
        sending.connect(listener.getsockname())
        peer = listener.accept()[0]
        sending.sendall(b"unread")
        peer.sendall(b"answer")
        peer.close()  # with bytes unread, which is a reset
        for _ in range(2):  # the second fails for want of a connection
            taken = sending.send(PIECE) if method == "send" else sending.sendmsg(iter([PIECE, b"x"]))
            assert taken == len(PIECE) + (method == "sendmsg")
        assert sending.recv(10) == b"answer"


@pytest.mark.parametrize(
    ("response", "status", "reason"),
    [
        (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", None, "Duplicate Content-Length"),
        (
            OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
            200,
            "content-encoding but gzip and deflate",
        ),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 200, "content-encoding: gzip"),
        (CHUNKED + b"secret\r\n", None, "Invalid character in chunk size"),
        (b'{"secret": 1}', None, "Bad status line"),
        (OK + b"X-A: " + b"secret" * 200_000 + b"\r\n\r\n", None, "Got more than"),
    ],
)
async def test_response_that_cannot_be_read_is_failed_and_not_retried(
    caplog: pytest.LogCaptureFixture, response: bytes, status: int | None, reason: str
) -> None:
    verdict, result = await attempt_on(response)
    assert result is None
    assert (verdict.decision.action, verdict.decision.code) == (Action.FAIL, "invalid_response")
    assert verdict.status_code == status
    assert reason in verdict.decision.message
    assert "secret" not in verdict.decision.message
    (record,) = [record for record in caplog.records if record.name.startswith("cortex_async")]
    assert record.__dict__["id"] == "id"
    assert reason in record.__dict__["reason"]


async def test_chunk_that_cannot_be_read_ends_a_response_that_had_begun_well() -> None:
    go_on = asyncio.Event()

    async def read(container: Container) -> None:
        async with asyncio.timeout(60), container.post(message(b"{}", 2), b"{}") as response:
            assert await response.content.readany() == b"1"
            go_on.set()
            await response.content.readany()

    async with answering(CHUNKED + b"1\r\n1\r\n", b"zz\r\n", go_on=go_on) as container:
        with pytest.raises(InvalidResponse, match="Invalid character in chunk size") as raised:
            await read(container)
    assert raised.value.status == 200


async def test_response_with_many_headers_is_a_result() -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(1000))
    verdict, result = await attempt_on(OK + headers + b"Content-Length: 2\r\n\r\n{}")
    assert (verdict.decision.action, result) == (Action.COMPLETE, b"{}")


@pytest.mark.parametrize(
    ("rest", "excerpt"),
    [
        (b"Content-Length: 20\r\n\r\nno", "no"),
        (b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno", ""),
        (b"Content-Encoding: gzip\r\nContent-Length: 90\r\n\r\n" + gzip.compress(b"no", mtime=0), "no"),
    ],
)
async def test_status_decides_though_the_body_is_cut_short_or_cannot_be_decoded(rest: bytes, excerpt: str) -> None:
    verdict, result = await attempt_on(REJECTED + rest)
    assert result is None
    assert (verdict.decision.code, verdict.status_code) == ("rejected", 422)
    assert verdict.body in (excerpt, "")  # what had come when the connection broke


async def test_response_that_is_cut_short_is_a_broken_connection() -> None:
    verdict, result = await attempt_on(OK + b"Content-Length: 20\r\n\r\n{}")
    assert (verdict.decision.action, result) == (Action.RETRY, None)


@pytest.mark.parametrize(
    ("error", "action", "code"),
    [
        (ObjectTooLarge("larger than S3 takes"), Action.FAIL, "result_too_large"),
        (UploadLost("UploadPart", "NoSuchUpload"), Action.RETRY, ""),
        (ObjectExists("PutObject", 412, "PreconditionFailed", "it is there"), Action.COMPLETE, ""),
    ],
)
async def test_result_that_s3_does_not_take_ends_the_attempt(error: Exception, action: Action, code: str) -> None:
    verdict, result = await attempt_on(CHUNKED + b"1\r\n1\r\n0\r\n\r\n", error=error)
    assert (verdict.decision.action, verdict.decision.code, result) == (action, code, None)
