"""How many messages are received ahead: as many as begin soon, and none of long work."""

import pytest

from cortex_async.dispatcher.pace import Ask, Load, Pace

LONG_POLL = 20


def pace(slots: int, work: float, receive: float, backlog: int = 5) -> Pace:
    """A pace that has seen such work and such receives, all of them full."""
    found = Pace(slots, LONG_POLL)
    for _ in range(50):
        found.worked(work)
    for _ in range(backlog * 10):
        found.received(10, 10, receive)
    return found


def busy(slots: int, waiting: int = 0, asked: int = 0, age: float = 0.0) -> Load:
    return Load(slots, waiting, asked, age)


@pytest.mark.parametrize("slots", [1, 4, 16, 100])
def test_asks_for_free_slots_first_and_waits_long_for_them(slots: int) -> None:
    assert Pace(slots, LONG_POLL).next_receive(Load(0, 0, 0, 0.0)) == Ask(min(slots, 10), LONG_POLL)


def test_asks_for_nothing_while_the_container_is_busy_and_no_backlog_is_known() -> None:
    fresh = Pace(1, LONG_POLL)
    fresh.worked(0.05)
    assert fresh.next_receive(busy(1)) is None


@pytest.mark.parametrize(
    ("slots", "work", "receive", "waiting", "count"),
    [
        (1, 0.05, 0.015, 0, 10),
        (1, 0.05, 0.015, 1, 10),
        (1, 0.05, 0.015, 5, None),  # enough for the next two receives
        (1, 0.02, 0.015, 2, 10),
        (4, 0.05, 0.015, 3, 10),
        (16, 0.05, 0.04, 26, 10),
        (16, 0.05, 0.04, 27, None),
        (1, 0.2, 0.015, 0, 5),
        (1, 0.5, 0.015, 0, 2),
        (1, 0.5, 0.015, 1, None),
        (1, 0.9, 0.015, 0, 1),
        (1, 1.1, 0.015, 0, None),  # it would not begin within a second
        (1, 10.0, 0.04, 0, None),
        (100, 10.0, 0.04, 0, 10),
    ],
)
def test_receives_ahead_what_begins_within_a_second(
    slots: int, work: float, receive: float, waiting: int, count: int | None
) -> None:
    asked = pace(slots, work, receive).next_receive(busy(slots, waiting))
    assert asked == (None if count is None else Ask(count, 1))


def test_open_receives_count_as_if_their_messages_were_there() -> None:
    short = pace(1, 0.05, 0.015)
    assert short.next_receive(busy(1, asked=10)) is None


def test_work_that_lasts_longer_than_usual_stops_it() -> None:
    assert pace(1, 0.05, 0.015).next_receive(busy(1, age=3.0)) is None


def test_what_the_first_receive_took_is_believed_at_once() -> None:
    """Of 16 slots with 20 ms of work, 64 requests begin while two receives of 40 ms take place."""
    fresh = Pace(16, LONG_POLL)
    fresh.worked(0.02)
    for _ in range(3):
        fresh.received(10, 10, 0.04)
    assert fresh.next_receive(busy(16, 63)) == Ask(10, 1)
    assert fresh.next_receive(busy(16, 65)) is None


def test_a_receive_that_waited_for_its_messages_says_nothing_of_what_a_call_takes() -> None:
    waited = Pace(1, LONG_POLL)
    waited.worked(0.05)
    waited.received(1, 1, 12.0)
    for _ in range(3):
        waited.received(10, 10, 0.02)
    assert waited.next_receive(busy(1, 1)) == Ask(10, 1)
    assert waited.next_receive(busy(1, 2)) is None


def test_an_empty_receive_stops_it_and_full_ones_begin_it_anew_little_by_little() -> None:
    short = pace(1, 0.05, 0.015)
    short.received(10, 0, 1.0)
    assert short.next_receive(busy(1)) is None
    counts = []
    for _ in range(3):
        short.received(1, 1, 0.015)
        asked = short.next_receive(busy(1))
        assert asked is not None
        counts.append(asked.count)
    assert counts == [1, 4, 10]


def test_a_receive_that_waited_for_its_message_says_nothing_of_a_backlog() -> None:
    quiet = Pace(4, LONG_POLL)
    quiet.worked(0.05)
    quiet.received(4, 1, 12.0)
    assert quiet.next_receive(busy(4)) is None
