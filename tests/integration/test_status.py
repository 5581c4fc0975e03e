"""What a submission, a status and an error tell beside the result: addresses, times, attempts, ids."""

from datetime import datetime, timedelta
from typing import Any

import aiohttp
import openapi_spec_validator
from yarl import URL

from support.processes import wait_until
from support.stack import Client

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_submission_tells_where_the_status_is(api: Client) -> None:
    async with api.http.post(f"{api.stack.url}?answer=1") as response:
        document = await response.json()
        location = response.headers["Location"]
        assert response.headers["X-Cortex-Request-ID"] == document["id"]
    assert document["status_url"] == f"{api.stack.url}/{document['id']}"
    assert URL(api.stack.url).join(URL(location)) == URL(document["status_url"])
    async with api.http.get(document["status_url"]) as response:
        assert (await response.json())["id"] == document["id"]
        assert response.headers["X-Cortex-Request-ID"] == document["id"]


async def test_address_is_that_which_a_proxy_was_called_by(api: Client) -> None:
    headers = {"Host": "api.example.com", "X-Forwarded-Proto": "https"}
    async with api.http.post(f"{api.stack.url}?answer=1", headers=headers) as response:
        document = await response.json()
    assert document["status_url"] == f"https://api.example.com/{api.stack.name}/{document['id']}"


async def test_times_and_attempts_follow_one_another(api: Client) -> None:
    begun = datetime.now().astimezone()
    document = await api.ended(await api.submit(query="?status=503&once&retry_after=1"))
    created, started, completed = (
        datetime.fromisoformat(document[name]) for name in ("created_at", "started_at", "completed_at")
    )
    assert begun - timedelta(milliseconds=1) <= created < started <= completed
    assert (started - created).total_seconds() > 0.9  # of the second attempt
    assert document["timestamp"] == document["completed_at"]
    assert (document["attempts"], document["result"]["attempt"]) == (2, 2)


async def test_retry_that_waits_is_in_the_queue(api: Client) -> None:
    request_id = await api.submit(query="?status=503&once&retry_after=900")

    def is_marked() -> bool:
        return f"{request_id}/in_progress" in api.stack.objects()

    wait_until("the first attempt to have ended", is_marked)
    assert (await api.get(request_id))[1]["status"] == "in_queue"


async def test_trace_reaches_the_container(api: Client) -> None:
    result = await api.completed(headers={"traceparent": TRACE})
    assert ["traceparent", TRACE] in [[name.lower(), value] for name, value in result["headers"]]


async def test_answer_tells_the_trace_that_the_request_is_part_of(api: Client) -> None:
    for given, told in ((TRACE, TRACE), (None, None), ("nonsense", None)):
        headers = {} if given is None else {"traceparent": given}
        async with api.http.post(api.stack.url, headers=headers) as response:
            assert response.status == 200
            assert response.headers.get("traceparent") == told


async def problem(api: Client, path: str, **options: Any) -> tuple[dict[str, Any], aiohttp.ClientResponse]:
    async with api.http.get(f"{api.stack.url}{path}", **options) as response:
        return await response.json(content_type=None), response


async def test_error_is_a_problem_document_too(api: Client) -> None:
    document, response = await problem(api, "/nothing")
    assert response.content_type == "application/json"
    assert document["error"]["code"] == "unknown_id"
    assert document["detail"] == document["error"]["message"]
    assert (document["type"], document["title"], document["status"]) == ("about:blank", "Not Found", 404)


async def test_problem_has_its_own_type_for_who_accepts_it(api: Client) -> None:
    accept = {"Accept": "application/problem+json, application/json"}
    for path in ("/nothing", "/no/such/path"):  # ours, and the server's own
        _, response = await problem(api, path, headers=accept)
        assert (response.status, response.content_type) == (404, "application/problem+json")


async def test_description_is_served_with_the_path_of_the_api(api: Client) -> None:
    async with api.http.get(f"http://127.0.0.1:{api.stack.gateway_port}/openapi.json") as response:
        document = await response.json()
    openapi_spec_validator.validate(document)
    assert {f"/{api.stack.name}", f"/{api.stack.name}/{{id}}"} <= document["paths"].keys()
