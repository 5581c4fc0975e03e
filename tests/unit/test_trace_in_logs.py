"""Each line that is logged about a request bears its trace id."""

import asyncio
import json
import logging

import pytest

from cortex_async.logs import JsonLines, within_trace

TRACE = "0af7651916cd43dd8448eb211c80319c"


def line() -> dict[str, str]:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "said", None, None)
    document: dict[str, str] = json.loads(JsonLines("gateway", "hello").format(record))
    return document


async def test_a_line_bears_the_trace_id_of_its_own_task_alone() -> None:
    async def one(traceparent: str | None) -> str | None:
        within_trace(traceparent)
        await asyncio.sleep(0)
        return line().get("trace_id")

    other = "b" * 32
    traces = (f"00-{TRACE}-b7ad6b7169203331-01", None, f"00-{other}-b7ad6b7169203331-01-later")
    assert list(await asyncio.gather(*map(one, traces))) == [TRACE, None, other]


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "nonsense",
        "00-short-b7ad6b7169203331-01",
        f"00-{TRACE}",
        f"00-{TRACE}-b7ad6b7169203331-01\r\nx: y",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
    ],
)
def test_what_is_no_traceparent_leaves_no_trace(traceparent: str | None) -> None:
    within_trace(traceparent)
    assert "trace_id" not in line()
