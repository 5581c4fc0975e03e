"""What Prometheus and KEDA read: /metrics of both processes, and /scaling of the gateway."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_metrics

from support.processes import WAIT_SECONDS, wait_until
from support.stack import Client, Stack


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.samples = [sample for family in parse_metrics(text) for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        found = [each for each in self.samples if each.name == name and labels.items() <= each.labels.items()]
        return sum(each.value for each in found)


async def scrape(http: aiohttp.ClientSession, port: int) -> Scraped:
    async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
        assert response.status == 200
        return Scraped(await response.text())


async def ended(http: aiohttp.ClientSession, stack: Stack, count: int) -> Scraped:
    """Scrape the dispatcher until so many requests have ended: a client may know of one a moment before."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await scrape(http, stack.admin_port)
            if found.sum("cortex_async_results_total") >= count:
                return found
            await asyncio.sleep(0.02)


async def test_the_dispatcher_counts_under_the_names_of_the_original(own_api: Client) -> None:
    await own_api.completed(b"{}")
    await own_api.completed(b"{}")
    await own_api.ended(await own_api.submit(query="?status=418"))
    found = await ended(own_api.http, own_api.stack, 3)
    labels = {"api_name": own_api.stack.name, "api_kind": "AsyncAPI"}
    assert found.sum("cortex_async_request_count", status_code="200", **labels) == 2
    assert found.sum("cortex_async_request_count", status_code="418", **labels) == 1
    assert found.sum("cortex_async_latency_count", status_code="200", **labels) == 2
    assert 0 < found.sum("cortex_async_latency_sum", **labels) < 60
    assert found.sum("cortex_async_active", **labels) == 0
    assert found.sum("cortex_async_queue_wait_seconds_count", **labels) == 3


async def test_the_dispatcher_tells_how_requests_end_and_what_its_container_does(own_api: Client) -> None:
    await own_api.completed(query="?once=1&status=503&retry_after=0")
    await own_api.ended(await own_api.submit(query="?status=400"))
    held = await own_api.submit(query="?hold=1")

    async with asyncio.timeout(WAIT_SECONDS):
        while (await scrape(own_api.http, own_api.stack.admin_port)).sum("cortex_async_active") != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    found = await ended(own_api.http, own_api.stack, 2)
    own_api.stack.let_go()
    await own_api.ended(held)
    assert found.sum("cortex_async_results_total", status="completed") == 1
    assert found.sum("cortex_async_results_total", status="failed", code="rejected") == 1
    assert found.sum("cortex_async_attempts_total") == 4
    assert found.sum("cortex_async_retries_total") == 1
    assert found.sum("cortex_async_dead_letters_total") == 0
    assert found.sum("cortex_async_slots") == 4
    assert found.sum("cortex_async_ready") == 1
    assert found.sum("cortex_async_busy_seconds_total") > 0
    assert found.sum("cortex_async_aws_calls_total", operation="PutObject", result="ok") >= 2
    assert found.sum("cortex_async_aws_calls_total", result="refused") == 0


async def test_a_dead_letter_and_a_request_without_an_answer_are_counted(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack({"queue": {"maxAttempts": 1}})
    stack.all()
    api = Client(stack, http)
    request_id = await api.submit(query="?crash=1")
    assert (await api.ended(request_id))["status"] == "failed"
    found = await ended(http, stack, 1)
    assert found.sum("cortex_async_dead_letters_total") == 1
    assert found.sum("cortex_async_results_total", status="failed", code="connection_broken") == 1
    assert found.sum("cortex_async_request_count", status_code="none") == 1


async def test_the_gateway_counts_its_clients_and_what_the_queue_holds(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    stack.provision()
    stack.gateway()
    api = Client(stack, http)
    ids = [await api.submit(b"{}") for _ in range(3)]
    await api.get(ids[0])
    assert (await api.get("nonsense"))[0] == 404
    scaling = await read_scaling(http, stack)
    found = await scrape(http, stack.gateway_admin_port)
    assert found.sum("cortex_async_submitted_total") == 3
    assert found.sum("cortex_async_gateway_requests_total", method="POST", status_code="200") == 3
    assert found.sum("cortex_async_gateway_requests_total", method="GET", status_code="200") == 1
    assert found.sum("cortex_async_gateway_requests_total", method="GET", status_code="404") == 1
    assert found.sum("cortex_async_queued") == 3
    assert found.sum("cortex_async_in_flight") == 3
    async with http.get(f"http://127.0.0.1:{stack.gateway_admin_port}/requests") as response:
        assert await response.json() == {"ids": ids[::-1]}
    assert scaling == {"in_flight": 3, "queued": 3, "active": 0, "age_seconds": scaling["age_seconds"]}


async def test_a_process_tells_its_tasks_and_memory_as_those_of_its_api(api: Client) -> None:
    for port in (api.stack.admin_port, api.stack.gateway_admin_port):
        found, labels = await scrape(api.http, port), {"api_name": api.stack.name, "api_kind": "AsyncAPI"}
        assert 3 < found.sum("process_asyncio_tasks", **labels) < 100
        assert found.sum("process_resident_memory_bytes", **labels) > 2**20


async def test_a_status_code_of_a_container_never_makes_many_series(own_api: Client) -> None:
    for status in (599, 598, 597):
        await own_api.ended(await own_api.submit(query=f"?status={status}"))
    found = await ended(own_api.http, own_api.stack, 3)
    codes = {each.labels["status_code"] for each in found.samples if each.name == "cortex_async_request_count"}
    assert codes == {"5xx"}


async def test_the_admin_port_of_the_gateway_takes_no_requests_and_its_public_port_shows_no_metrics(
    api: Client,
) -> None:
    stack = api.stack
    for url in (
        f"http://127.0.0.1:{stack.gateway_admin_port}/{stack.name}",
        f"http://127.0.0.1:{stack.gateway_port}/metrics",
        f"http://127.0.0.1:{stack.gateway_port}/scaling",
    ):
        async with api.http.get(url) as response:
            assert response.status == 404, url


async def test_scaling_says_so_when_the_queue_cannot_be_reached(
    make_stack: Callable[..., Stack], http: aiohttp.ClientSession
) -> None:
    stack = make_stack()
    gateway = stack.command("gateway")  # nothing was provisioned: there is no queue
    stack_is_up = f"http://127.0.0.1:{stack.gateway_admin_port}/scaling"

    def answers() -> bool:
        return bool(re.search("waiting for the queue", gateway.log))

    wait_until("the gateway", answers, gateway)
    async with http.get(stack_is_up) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "no_sample"


@pytest.mark.parametrize("process", ["gateway", "dispatcher"])
async def test_a_scrape_in_the_newer_format_is_answered_in_it(api: Client, process: str) -> None:
    stack = api.stack
    port = stack.gateway_admin_port if process == "gateway" else stack.admin_port
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with api.http.get(f"http://127.0.0.1:{port}/metrics", headers=accept) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")


async def read_scaling(http: aiohttp.ClientSession, stack: Stack) -> dict[str, Any]:
    async with http.get(f"http://127.0.0.1:{stack.gateway_admin_port}/scaling") as response:
        assert response.status == 200
        return dict(await response.json())
