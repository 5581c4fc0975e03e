"""After an outage the first success wakes all that wait; while calls succeed now and then, it wakes nobody."""

import asyncio

import pytest

from cortex_async import limits
from cortex_async.backoff import Backoff, Health

HOUR = 3600.0


async def asleep(health: Health, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(health.sleep(HOUR)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_the_first_success_after_an_outage_wakes_all() -> None:
    health = Health()
    for _ in range(limits.OUTAGE_FAILURES):
        health.failed()
    tasks = await asleep(health, 20)
    health.succeeded()
    await asyncio.wait_for(asyncio.gather(*tasks), 60)


async def test_a_success_between_failures_wakes_nobody() -> None:
    health = Health()
    tasks = await asleep(health, 1)
    for _ in range(10 * limits.OUTAGE_FAILURES):
        health.failed()
        health.succeeded()
    timers_of_wake_ups_would_have_run = asyncio.create_task(asyncio.sleep(2 * limits.RECOVERED_SECONDS))
    done, _ = await asyncio.wait([*tasks, timers_of_wake_ups_would_have_run], return_when=asyncio.FIRST_COMPLETED)
    assert done == {timers_of_wake_ups_would_have_run}
    tasks[0].cancel()


async def test_a_pause_that_is_cut_short_keeps_its_deadline() -> None:
    health = Health()
    backoff = Backoff(seconds=0, health=health)
    with pytest.raises(ValueError, match="over"):
        await backoff.pause(ValueError("over"))
