"""The measure that scales, from its samples: what a gateway says of the requests in flight."""

import pytest

from cortex_async.gateway.scaling import NoSample, Window
from cortex_async.queue.protocol import Depth


def window(*depths: tuple[int, int], seconds: int = 60, least: float = 1.0) -> Window:
    """A window with one sample every 10 s, the last at 0."""
    made = Window(seconds, least)
    for index, depth in enumerate(depths):
        made.sampled(Depth(*depth), 10.0 * (index + 1 - len(depths)))
    return made


def test_averages_what_waits_and_what_is_processed_over_the_window() -> None:
    assert window((6, 0), (3, 3), (0, 0)).measure(0).in_flight == 4


def test_samples_older_than_the_window_do_not_count() -> None:
    assert window((1000, 0), (2, 2), (4, 0), seconds=20).measure(0).in_flight == 4


def test_tells_the_newest_sample_and_its_age() -> None:
    measure = window((9, 9), (2, 1)).measure(7)
    assert (measure.queued, measure.active, measure.age_seconds) == (2, 1, 7)


def test_a_submit_counts_at_once_and_for_the_whole_window() -> None:
    idle = window(*[(0, 0)] * 6)
    assert idle.measure(0).in_flight == 0
    idle.submitted()
    assert idle.measure(0).in_flight > 0
    idle.sampled(Depth(0, 0), 10)  # SQS's counters do not know of it yet
    for number in range(5):
        assert idle.measure(10).in_flight > 0, number
        idle.sampled(Depth(0, 0), 20 + 10 * number)
    idle.sampled(Depth(0, 0), 70)
    assert idle.measure(70).in_flight == 0


def test_many_submits_that_are_done_at_once_ask_for_one_replica_only() -> None:
    busy = window(*[(0, 0)] * 6)
    for _ in range(1000):
        busy.submitted()
    assert 0 < busy.measure(0).in_flight <= 1


def test_a_submit_alone_never_asks_for_two_replicas_when_their_share_is_below_one() -> None:
    busy = window((0, 0), seconds=10, least=0.25)
    busy.submitted()
    assert busy.measure(0).in_flight == 0.25


def test_a_look_between_two_samples_shows_at_once_what_another_gateway_took() -> None:
    idle = window(*[(0, 0)] * 6)
    idle.sampled(Depth(3, 0), 4, regular=False)
    assert idle.measure(4).in_flight == 0.5
    assert not idle.is_idle


def test_says_nothing_rather_than_an_old_number() -> None:
    with pytest.raises(NoSample):
        Window(60, 1).measure(0)
    sampled = window((5, 0))
    assert sampled.measure(30).in_flight == 5
    with pytest.raises(NoSample):
        sampled.measure(40)
