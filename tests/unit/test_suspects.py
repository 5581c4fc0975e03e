"""Who is blamed for a container that broke, and how the suspects are kept apart."""

import asyncio

import pytest

from cortex_async.dispatcher.outcome import Action, Attempts, on_broken
from cortex_async.dispatcher.slots import Slots
from cortex_async.dispatcher.suspicion import Standing, goes_alone, is_own_fault, on_return
from cortex_async.storage.protocol import Progress


@pytest.mark.parametrize(
    ("is_suspect", "had_company", "expected"),
    [(False, True, False), (False, False, True), (True, True, True), (True, False, True)],
)
def test_break_counts_against_a_suspect_and_against_one_that_was_alone(
    is_suspect: bool, had_company: bool, expected: bool
) -> None:
    assert is_own_fault(is_suspect=is_suspect, had_company=had_company) is expected


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (None, Standing(1, is_suspect=False)),
        (Progress(0), Standing(1, is_suspect=False)),  # cut short by a shutdown
        (Progress(1), Standing(2, is_suspect=False)),
        (Progress(1, is_shared=True), Standing(1, is_suspect=True)),  # its pod died, with others in it
        (Progress(0, is_suspect=True), Standing(1, is_suspect=True)),  # its container broke, with others in it
        (Progress(1, is_suspect=True), Standing(2, is_suspect=True)),
        (Progress(3, is_suspect=True), Standing(4, is_suspect=True)),
    ],
)
def test_object_in_the_bucket_tells_what_comes_next(progress: Progress | None, expected: Standing) -> None:
    assert on_return(progress) == expected


@pytest.mark.parametrize(
    ("attempt", "maximum", "is_suspect", "expected"),
    [(1, 3, True, False), (2, 3, True, True), (3, 3, True, True), (1, 1, True, True), (3, 3, False, False)],
)
def test_suspect_is_alone_once_a_break_counted_and_at_its_last_attempt(
    attempt: int, maximum: int, is_suspect: bool, expected: bool
) -> None:
    assert goes_alone(attempt, maximum, is_suspect=is_suspect) is expected


def test_break_among_others_costs_no_attempt_be_it_the_last() -> None:
    decision = on_broken(Attempts(3, 3), is_own_fault=False, jitter=0)
    assert (decision.action, decision.counts, decision.is_suspect) == (Action.RETRY, False, True)


def test_own_break_counts_and_the_last_is_a_dead_letter() -> None:
    decision = on_broken(Attempts(2, 3), is_own_fault=True, jitter=0)
    assert (decision.action, decision.counts, decision.is_suspect) == (Action.RETRY, True, True)
    decision = on_broken(Attempts(3, 3), is_own_fault=True, jitter=0)
    assert (decision.action, decision.code, decision.dead_letter) == (Action.FAIL, "connection_broken", True)


def test_those_that_broke_together_come_back_apart() -> None:
    delays = [on_broken(Attempts(2, 3), is_own_fault=True, jitter=step / 8).delay_seconds for step in range(9)]
    assert (delays[0], delays[-1]) == (2, 6)
    assert len(set(delays)) == 5


class Visitors:
    """Tasks that wait for a slot, and leave it when told."""

    def __init__(self, maximum: int) -> None:
        self.slots: Slots[str] = Slots(maximum)
        self.tasks: dict[str, asyncio.Task[bool]] = {}

    async def come(self, *names: str, suspect: bool = False, alone: bool = False, seconds: float = 60) -> None:
        for name in names:
            taking = self.slots.take_apart(name, alone=alone) if suspect else self.slots.take(name, seconds)
            self.tasks[name] = asyncio.create_task(taking)
            await asyncio.sleep(0)

    async def leave(self, name: str) -> None:
        self.slots.give_back(name)
        del self.tasks[name]
        await asyncio.sleep(0)

    @property
    def inside(self) -> set[str]:
        return {name for name, task in self.tasks.items() if task.done() and task.result()}


async def test_suspects_go_in_one_at_a_time_beside_others() -> None:
    visitors = Visitors(4)
    await visitors.come("a", "b")
    await visitors.come("s1", "s2", suspect=True)
    await visitors.come("c")
    assert visitors.inside == {"a", "b", "s1", "c"}
    await visitors.leave("a")
    assert visitors.inside == {"b", "s1", "c"}
    await visitors.leave("s1")
    assert visitors.inside == {"b", "s2", "c"}


async def test_one_that_goes_alone_waits_for_all_and_all_wait_for_it() -> None:
    visitors = Visitors(3)
    await visitors.come("a", "b")
    await visitors.come("s", suspect=True, alone=True)
    await visitors.come("c")
    assert visitors.inside == {"a", "b"}
    assert visitors.slots.is_closed
    await visitors.leave("a")
    assert visitors.inside == {"b"}
    await visitors.leave("b")
    assert visitors.inside == {"s"}
    assert not visitors.slots.had_company("s")
    await visitors.leave("s")
    assert visitors.inside == {"c"}
    assert not visitors.slots.is_closed


async def test_container_is_never_given_more_than_it_takes() -> None:
    """A suspect that was received with a slot, as all are, gives it up while it waits."""
    visitors = Visitors(2)
    await visitors.come("a", "b", "c")
    assert visitors.inside == {"a", "b"}
    visitors.tasks.pop("b")
    await visitors.come("b", suspect=True)
    assert visitors.inside == {"a", "b"}  # suspects first
    await visitors.come("s", suspect=True)
    await visitors.leave("a")
    assert visitors.inside == {"b", "c"}
    await visitors.leave("b")
    assert visitors.inside == {"c", "s"}


async def test_one_that_waited_too_long_goes_elsewhere_and_suspects_wait() -> None:
    visitors = Visitors(1)
    await visitors.come("a")
    await visitors.come("b", seconds=0.01)
    await visitors.come("s", suspect=True)
    assert await visitors.tasks["b"] is False
    assert not visitors.tasks["s"].done()
    visitors.slots.refuse_all()
    assert await visitors.tasks["s"] is False


async def test_company_is_who_was_inside_at_any_time() -> None:
    visitors = Visitors(3)
    await visitors.come("a")
    assert not visitors.slots.had_company("a")
    await visitors.come("b")
    await visitors.leave("a")
    assert visitors.slots.had_company("b")
    await visitors.leave("b")
    await visitors.come("c")
    assert not visitors.slots.had_company("c")


async def test_suspect_that_is_called_away_leaves_the_line() -> None:
    visitors = Visitors(2)
    await visitors.come("a")
    await visitors.come("s1", suspect=True, alone=True)
    await visitors.come("s2", suspect=True)
    visitors.tasks.pop("s1").cancel()
    await asyncio.sleep(0.01)
    assert visitors.inside == {"a", "s2"}
