"""Spans of a request, seen by a receiver of OTLP: linked from the client to the container, and none unasked."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from support.otlp_receiver import Receiver, receiving
from support.stack import Client, Stack

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CLIENTS_SPAN = "b7ad6b7169203331"
TRACE = f"00-{TRACE_ID}-{CLIENTS_SPAN}-01"
ALL = ("submit", "queue", "process", "POST", "store")
ONE_EACH = dict.fromkeys(ALL, 1)
SERVER, CLIENT, CONSUMER = 2, 3, 5  # of opentelemetry.proto.trace.v1.Span.SpanKind
MakeStack = Callable[..., Stack]


@pytest_asyncio.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # milliseconds between two batches, instead of 5 s
    async with receiving() as one:
        yield one


def tracing(endpoint: str, ratio: float = 1) -> dict[str, Any]:
    quick = {"terminationGracePeriodSeconds": 8}  # the open receive ends within 2 s
    return {"tracing": {"endpoint": endpoint, "sampleRatio": ratio}, "pod": quick}


@pytest.fixture
def make_api(make_stack: MakeStack, http: aiohttp.ClientSession) -> Callable[..., Client]:
    def make(endpoint: str, ratio: float = 1) -> Client:
        stack = make_stack(tracing(endpoint, ratio))
        stack.all()
        return Client(stack, http)

    return make


async def test_spans_lead_from_the_client_through_the_queue_into_the_container(
    make_api: Callable[..., Client], receiver: Receiver
) -> None:
    api = make_api(receiver.url)
    async with api.http.post(api.stack.url, headers={"traceparent": TRACE}) as response:
        request_id = (await response.json())["id"]
        answered = response.headers["traceparent"]
    result = (await api.ended(request_id))["result"]
    await receiver.until(ONE_EACH)
    found = {each.name: each for each in receiver.spans}
    submit, queue, process, post, store = (found[name] for name in ALL)
    assert {each.trace_id for each in found.values()} == {TRACE_ID}
    assert submit.parent == CLIENTS_SPAN
    assert answered == f"00-{TRACE_ID}-{submit.id}-01"
    assert queue.parent == process.parent == submit.id
    assert post.parent == store.parent == process.id
    reached = [value for name, value in result["headers"] if name.lower() == "traceparent"]
    assert reached == [f"00-{TRACE_ID}-{post.id}-01"]
    assert (submit.kind, process.kind, post.kind) == (SERVER, CONSUMER, CLIENT)
    assert submit.service == f"api-{api.stack.name}-gateway"
    assert {each.service for each in (queue, process, post, store)} == {f"api-{api.stack.name}"}
    for each in (submit, process):
        assert each.facts["cortex_async.request_id"] == request_id
    assert (post.facts["http.response.status_code"], submit.facts["http.response.status_code"]) == (200, 200)
    assert queue.start < queue.end <= process.end
    assert process.start <= post.start <= post.end <= store.end <= process.end
    assert not any(each.failed for each in found.values())
    assert f'"trace_id": "{TRACE_ID}"' in api.stack.latest("dispatcher").log


async def test_a_retry_is_a_second_process_span_of_the_same_trace(
    make_api: Callable[..., Client], receiver: Receiver
) -> None:
    api = make_api(receiver.url)
    await api.completed(query="?once=1&status=503&retry_after=0")
    await receiver.until({"submit": 1, "queue": 1, "process": 2, "POST": 2, "store": 1})
    assert len({each.trace_id for each in receiver.spans}) == 1
    first, second = (each for each in receiver.spans if each.name == "POST")
    assert (first.failed, first.facts["http.response.status_code"]) == (True, 503)
    assert not second.failed


async def test_a_failed_request_stores_its_reason_within_its_trace(
    make_api: Callable[..., Client], receiver: Receiver
) -> None:
    api = make_api(receiver.url)
    await api.ended(await api.submit(query="?status=418"))
    await receiver.until(ONE_EACH)
    found = {each.name: each for each in receiver.spans}
    assert found["POST"].failed
    assert found["store"].parent == found["process"].id
    assert found["store"].facts["cortex_async.status"] == "failed"


async def test_last_spans_are_sent_when_the_processes_end(
    make_api: Callable[..., Client], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    api = make_api(receiver.url)
    await api.completed()
    assert not receiver.spans
    for name in ("gateway", "dispatcher"):
        assert await asyncio.to_thread(api.stack.latest(name).stop) == 0
    assert receiver.counts() == ONE_EACH


async def test_a_receiver_that_is_away_delays_neither_requests_nor_the_end(
    make_api: Callable[..., Client], receiver: Receiver
) -> None:
    api = make_api(f"{receiver.url.rpartition(':')[0]}:9")
    await api.completed()
    assert await asyncio.to_thread(api.stack.latest("gateway").stop) == 0


async def test_a_share_of_the_traces_is_kept_and_those_that_the_client_wants(
    make_api: Callable[..., Client], receiver: Receiver
) -> None:
    api = make_api(receiver.url, 0)
    await api.completed()
    await api.completed(headers={"traceparent": TRACE})
    await receiver.until(ONE_EACH)
    assert {each.trace_id for each in receiver.spans} == {TRACE_ID}


def test_without_an_endpoint_the_sdk_is_not_even_imported() -> None:
    code = "import sys, cortex_async.gateway.command, cortex_async.dispatcher.service\n"
    code += "print([each for each in sys.modules if each.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["gateway", "dispatcher"])
def test_an_image_without_the_sdk_says_what_to_do(
    make_stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    absent = tmp_path / "absent" / "opentelemetry"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", str(absent.parent))
    process = make_stack(tracing("http://127.0.0.1:9")).command(name)
    assert process.wait() == 1
    assert "monitoring.tracing.endpoint" in process.log
    assert "--target otel" in process.log
    assert "Traceback" not in process.log
