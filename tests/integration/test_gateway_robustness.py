"""Clients that break off, stall, lie or attack: each gets a 4xx document, and leaves nothing behind."""

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cortex_async.request_id import RequestIds
from support import raw
from support.processes import Emulator, Process, wait_until
from support.stack import BUCKET, Stack

STALL_SECONDS = 2.0
LIMIT_MIB = 8
MIB = 2**20


@pytest.fixture(scope="module")
def stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway without a dispatcher: what it lets through stays in the queue and the bucket."""
    running = Stack(emulator, tmp_path_factory.mktemp("gateway"), {"gateway": {"maxPayloadMiB": LIMIT_MIB}})
    running.provision()
    process = running.command("gateway", "--stall-timeout", str(STALL_SECONDS))
    running.wait_ready(running.gateway_port, process)
    yield running
    running.stop()


@pytest.fixture
def leaves_nothing(stack: Stack) -> Iterator[None]:
    """Fail the test when it leaves a message, an object or a multipart upload."""
    before = stack.queue_depth(), stack.objects()
    yield

    def clean() -> bool:
        return not uploads(stack)

    wait_until("no multipart upload to be left", clean, timeout=30)
    assert (stack.queue_depth(), stack.objects()) == before


def uploads(stack: Stack) -> list[object]:
    found = stack.emulator.client("s3").list_multipart_uploads(Bucket=BUCKET)
    return [each for each in found.get("Uploads", ()) if stack.name in each["Key"]]


def post(stack: Stack, *headers: str, path: str | None = None) -> bytes:
    return "\r\n".join([f"POST {path or '/' + stack.name} HTTP/1.1", "Host: x", *headers, "", ""]).encode(
        "latin-1"
    )


def memory(process: Process) -> int:
    """Resident memory in bytes."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


# Clients that break off or stall


@pytest.mark.parametrize(("announced", "sent"), [(1000, 10), (1_000_000, 500_000), (7 * MIB, 6 * MIB)])
async def test_client_that_goes_away_mid_body_leaves_nothing(
    stack: Stack, leaves_nothing: None, announced: int, sent: int
) -> None:
    process = stack.latest("gateway")
    gone = process.log.count("a client went away")
    async with raw.Connection(stack.gateway_port) as connection:
        await connection.send(post(stack, f"Content-Length: {announced}"), bytes(sent))
    await asyncio.to_thread(
        wait_until, "the gateway to notice", lambda: process.log.count("a client went away") > gone, process
    )


async def test_body_that_stalls_is_answered_408(stack: Stack, leaves_nothing: None) -> None:
    framings = ["Content-Length: 7000000", "Transfer-Encoding: chunked"]
    begun = [b"", b"5\r\nhello\r\n", b"600000\r\n" + bytes(6 * MIB) + b"\r\n"]
    answers = await asyncio.gather(
        *[raw.exchange(stack.gateway_port, post(stack, framing), sent) for framing in framings for sent in begun]
    )
    assert [(answer.status, answer.error) for answer in answers] == [(408, "stalled")] * 6


async def test_body_that_trickles_is_answered_408(stack: Stack, leaves_nothing: None) -> None:
    async with raw.Connection(stack.gateway_port) as connection:
        await connection.send(post(stack, "Content-Length: 1000000"))
        trickling = asyncio.create_task(trickle(connection, b"x"))
        answer = await connection.answer()
        trickling.cancel()
    assert (answer.status, answer.error) == (408, "stalled")


async def test_head_that_does_not_end_is_answered_408(stack: Stack) -> None:
    async def slow_loris(begun: bytes) -> tuple[int, str, bool]:
        async with raw.Connection(stack.gateway_port) as connection:
            await connection.send(begun)
            trickling = asyncio.create_task(trickle(connection, b"y"))
            answer = await connection.answer()
            trickling.cancel()
            return answer.status, answer.error, await connection.is_closed()

    heads = [b"POST /", b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: "]
    answers = await asyncio.gather(*map(slow_loris, heads))
    assert answers == [(408, "stalled", True)] * 3


async def trickle(connection: raw.Connection, byte: bytes) -> None:
    while True:
        await asyncio.sleep(STALL_SECONDS / 4)
        await connection.send(byte)


async def test_second_request_of_a_connection_is_not_cut_by_the_first(stack: Stack) -> None:
    async def in_time() -> bool:
        async with raw.Connection(stack.gateway_port) as connection:
            for _ in range(2):
                begun = time.monotonic()
                await connection.send(b"GET /healthz HTTP/1.1\r\nHo")
                await asyncio.sleep(STALL_SECONDS * 0.6)  # twice is more than the limit
                await connection.send(b"st: x\r\n\r\n")
                if time.monotonic() - begun > STALL_SECONDS * 0.8:
                    return False
                assert (await connection.answer()).status == 200
        return True

    for _ in range(20):
        if await in_time():
            return
    pytest.fail("never in time")


# Bodies over the limit, and wrong lengths


async def test_body_announced_over_the_limit_is_answered_413_before_it_is_sent(
    stack: Stack, leaves_nothing: None
) -> None:
    answer = await raw.exchange(stack.gateway_port, post(stack, f"Content-Length: {LIMIT_MIB * MIB + 1}"))
    assert (answer.status, answer.error) == (413, "payload_too_large")


async def test_chunked_body_over_the_limit_is_answered_413(stack: Stack, leaves_nothing: None) -> None:
    chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
    answer = await raw.exchange(
        stack.gateway_port, post(stack, "Transfer-Encoding: chunked"), *[chunk] * (LIMIT_MIB + 1), b"0\r\n\r\n"
    )
    assert (answer.status, answer.error) == (413, "payload_too_large")


async def test_expect_over_the_limit_is_answered_413_and_not_100(stack: Stack, leaves_nothing: None) -> None:
    head = post(stack, f"Content-Length: {LIMIT_MIB * MIB + 1}", "Expect: 100-continue")
    answer = await raw.exchange(stack.gateway_port, head)
    assert (answer.status, answer.error) == (413, "payload_too_large")


async def test_expect_within_the_limit_is_answered_100_and_then_200(stack: Stack) -> None:
    async with raw.Connection(stack.gateway_port) as connection:
        await connection.send(post(stack, "Content-Length: 5", "Expect: 100-continue"))
        assert (await connection.answer()).status == 100
        await connection.send(b"hello")
        assert (await connection.answer()).status == 200


async def test_other_expectation_is_answered_417(stack: Stack, leaves_nothing: None) -> None:
    answer = await raw.exchange(stack.gateway_port, post(stack, "Content-Length: 5", "Expect: tea"), b"hello")
    assert (answer.status, answer.error) == (417, "expectation_failed")
    for line in ("GET /healthz", f"GET /{stack.name}/no-id", f"GET /{stack.name}", "GET /no/such/path"):
        head = f"{line} HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n".encode()
        answer = await raw.exchange(stack.gateway_port, head)
        assert (answer.status, answer.error) == (417, "expectation_failed"), line


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: abc"],
        ["Content-Length: -1"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 6"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 99999999999999999999999999"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked, identity"],
    ],
)
async def test_length_that_is_none_is_refused(stack: Stack, leaves_nothing: None, headers: list[str]) -> None:
    answer = await raw.exchange(stack.gateway_port, post(stack, *headers), b"hello")
    assert 400 <= answer.status < 500
    assert answer.error


@pytest.mark.parametrize("chunk", [b"zz\r\nhello\r\n", b"-1\r\n\r\n", b"5\r\nhelloXX", b"f" * 40 + b"\r\n"])
async def test_chunk_that_is_none_is_refused(stack: Stack, leaves_nothing: None, chunk: bytes) -> None:
    answer = await raw.exchange(stack.gateway_port, post(stack, "Transfer-Encoding: chunked"), chunk)
    assert answer.status in (400, 408)  # 408 when the parser met it after the handler had begun to wait for more
    assert answer.error


async def test_bytes_beyond_the_announced_length_are_refused(stack: Stack) -> None:
    async with raw.Connection(stack.gateway_port) as connection:
        await connection.send(post(stack, "Content-Length: 5"), b"hello, and more\r\n\r\n")
        answer = await connection.answer()
        if answer.status == 200:  # the head and the body came one by one
            answer = await connection.answer()
        assert (answer.status, answer.error) == (400, "bad_request")
        assert await connection.is_closed()


# Heads that are none


LONG = "x" * 9000


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",  # TLS to a plain port
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"G\xc3\x84T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        b"GET /health\x00z HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /he althz HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /{LONG} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"GET /healthz HTTP/1.1\r\nHost: x\r\nA: {LONG}\r\n\r\n".encode(),
        f"GET /healthz HTTP/1.1\r\nHost: x\r\n{LONG}: a\r\n\r\n".encode(),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    ],
)
async def test_head_that_is_not_http_is_refused(stack: Stack, head: bytes) -> None:
    async with raw.Connection(stack.gateway_port) as connection:
        await connection.send(head)
        answer = await connection.answer()
        assert 400 <= answer.status < 500
        assert answer.error
        assert await connection.is_closed()


async def test_large_headers_that_are_accepted_reach_the_queue(stack: Stack) -> None:
    headers = [f"X-{number}: {'y' * 8000}" for number in range(100)]  # over the inline limit, under SQS's
    answer = await raw.exchange(stack.gateway_port, post(stack, "Content-Length: 5", *headers), b"hello")
    assert answer.status == 200


async def test_headers_that_no_message_can_hold_are_refused(stack: Stack, leaves_nothing: None) -> None:
    headers = [f"X-{number}: {chr(34) * 8000}" for number in range(100)]  # JSON escapes each quotation mark
    answer = await raw.exchange(stack.gateway_port, post(stack, "Content-Length: 5", *headers), b"hello")
    assert (answer.status, answer.error) == (431, "headers_too_large")


async def test_header_in_latin_1_is_taken(stack: Stack) -> None:
    answer = await raw.exchange(stack.gateway_port, post(stack, "Content-Length: 5", "X-A: \xff\xfe"), b"hello")
    assert answer.status == 200


async def test_post_that_asks_for_an_upgrade_keeps_its_body(stack: Stack) -> None:
    """As Java's client does, for HTTP/2."""
    head = post(
        stack, "Content-Length: 5", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"
    )
    before = len(stack.objects())
    answer = await raw.exchange(stack.gateway_port, head, b"hello")
    assert answer.status == 200
    assert len(stack.objects()) == before


# Paths


def trick_paths(stack: Stack) -> list[str]:
    own = RequestIds("test", stack.name).issue()
    other = RequestIds("test", "another-api").issue()
    endpoint = f"/{stack.name}"
    return [
        f"{endpoint}/{other}",
        f"{endpoint}/{own.upper()}",
        f"{endpoint}/{own.replace('-', '')}",
        f"{endpoint}/{{{own}}}",
        f"{endpoint}/{own[:-1]}{'0' if own[-1] != '0' else '1'}",
        f"{endpoint}/{own}%00",
        f"{endpoint}/{own}%0a",
        f"{endpoint}/{own}%20",
        f"{endpoint}/%20{own}",
        f"{endpoint}/{own}/result",
        f"{endpoint}/{own}/",
        f"{endpoint}//{own}",
        f"{endpoint}/{own}%2fresult",
        f"{endpoint}/../{stack.name}x/{own}",
        f"{endpoint}/..%2f{stack.name}%2f{own}",
        f"{endpoint}/%2e%2e/{own}",
        f"{endpoint}/{own}/../../etc/passwd",
        f"{endpoint}%2f{own}",
        f"/{stack.name.upper()}/{own}",
        f"{endpoint}/{'%D9%A0' * 8}-{own[9:]}",  # Arabic digits
        f"{endpoint}/%ff%fe",
        f"{endpoint}/",
        f"{endpoint}/{'a' * 7000}",
        f"{endpoint}/{own}%",
        f"{endpoint}/{own}%zz",
        "/",
        "//",
        "/..",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/metrics",
        "*",
        "no-slash",
        "http://[bad/",
    ]


async def test_path_trick_is_answered_4xx(stack: Stack, leaves_nothing: None) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"):
        for path in trick_paths(stack):
            answer = await exchange_of(stack, method, path)
            assert 400 <= answer.status < 500, (method, path, answer)
            assert method == "HEAD" or answer.error, (method, path)


async def exchange_of(stack: Stack, method: str, path: str) -> raw.Answer:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    if method != "HEAD":
        return await raw.exchange(stack.gateway_port, head)
    async with raw.Connection(stack.gateway_port) as connection:
        await connection.send(head)
        first = (await connection.reader.readuntil(b"\r\n")).split()
        return raw.Answer(int(first[1]), {}, b"")


# Many clients


async def test_ten_thousand_idle_connections_cost_little_and_hold_nobody_up(
    make_stack: Callable[..., Stack],
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 4000:
        pytest.skip(f"the limit of {hard} open files is too low to tell what a connection costs")
    wanted = min(10_000, hard - 1000) if hard >= 0 else 10_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the gateway inherits it
    try:
        stack = make_stack()
        stack.provision()
        process = stack.gateway()
        before = memory(process)
        with contextlib.ExitStack() as idle:
            for _ in range(wanted):
                idle.enter_context(socket.create_connection(("127.0.0.1", stack.gateway_port), 30))
            answer = await raw.exchange(stack.gateway_port, post(stack, "Content-Length: 5"), b"hello")
            assert answer.status == 200
            a_connection = (memory(process) - before) / wanted
        assert a_connection < 20_000, f"{a_connection:.0f} bytes a connection"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_memory_stays_flat_however_large_headers_and_refused_bodies_are(
    stack: Stack, leaves_nothing: None
) -> None:
    process = stack.latest("gateway")
    headers = [f"X-{number}: {chr(34) * 8000}" for number in range(100)]
    chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"

    async def attack() -> None:
        answer = await raw.exchange(stack.gateway_port, post(stack, "Content-Length: 5", *headers), b"hello")
        assert answer.status == 431
        head = post(stack, "Transfer-Encoding: chunked")
        assert (await raw.exchange(stack.gateway_port, head, *[chunk] * 12)).status == 413

    await attack()
    before = memory(process)
    for _ in range(10):
        await asyncio.gather(*[attack() for _ in range(4)])
    grown = memory(process) - before
    assert grown < 80 * MIB, f"{grown / MIB:.0f} MiB"
