"""A machine whose clock differs from that of AWS: calls that are under way together all succeed."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from cortex_async.backoff import RetryPolicy
from cortex_async.errors import AwsRefused
from support.aws_answers import bucket, error

CALLS = 30
TRIED_BUT_NOT_WHEN_REFUSED = RetryPolicy(600)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


class Clock:
    """Refuses what was signed more than 5 min from its time, as S3 does; answers the first calls together."""

    def __init__(self, ahead: timedelta, together: int = 1) -> None:
        self._ahead = ahead
        self._all_there = asyncio.Barrier(together)
        self._together = together
        self.refused = self.accepted = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.refused + self.accepted < self._together:
            await self._all_there.wait()
        now = datetime.now(UTC) + self._ahead
        signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(now - signed) < timedelta(minutes=5):
            self.accepted += 1
            return web.Response()
        self.refused += 1
        response = error(403, "RequestTimeTooSkewed")
        response.headers["Date"] = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response


@pytest.mark.parametrize("minutes", [20, -20])
async def test_all_of_many_concurrent_calls_succeed_after_the_clock_jumped(minutes: int) -> None:
    clock = Clock(timedelta(minutes=minutes), CALLS)
    async with asyncio.timeout(60), bucket(clock.answer, TRIED_BUT_NOT_WHEN_REFUSED) as s3:
        await asyncio.gather(*[s3.put(str(number), b"", {}) for number in range(CALLS)])
        await s3.put("another", b"", {})
    assert (clock.refused, clock.accepted) == (CALLS, CALLS + 1)


async def test_head_whose_answer_names_no_reason_follows_the_clock() -> None:
    clock = Clock(timedelta(minutes=20))
    async with asyncio.timeout(60), bucket(clock.answer, TRIED_BUT_NOT_WHEN_REFUSED) as s3:
        await s3.head("key")
    assert (clock.refused, clock.accepted) == (1, 1)


async def test_clock_that_is_mended_again_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(timedelta(0))
    true_time = time.time
    async with asyncio.timeout(60), bucket(clock.answer, TRIED_BUT_NOT_WHEN_REFUSED) as s3:
        for wrong_by in (1200, 0, -1200):
            monkeypatch.setattr(time, "time", lambda wrong_by=wrong_by: true_time() + wrong_by)
            await s3.put("key", b"", {})
    assert (clock.refused, clock.accepted) == (3, 3)


async def test_refusal_of_what_was_signed_with_the_servers_time_has_another_reason() -> None:
    calls = 0

    async def refuse(_: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        return error(403, "SignatureDoesNotMatch")  # a wrong secret key

    async with asyncio.timeout(60), bucket(refuse, TRIED_BUT_NOT_WHEN_REFUSED) as s3:
        with pytest.raises(AwsRefused, match="SignatureDoesNotMatch"):
            await s3.put("key", b"", {})
    assert calls == 1
