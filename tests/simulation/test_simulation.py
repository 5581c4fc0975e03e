"""KEDA and the HPA, as the chart renders them, do what the documented fields say, and what the original does."""

import itertools

import pytest

from chart.helm_cli import CHART, Helm
from simulation.__main__ import compare, compare_recorded, recorded_table, table
from simulation.loads import LOADS, Recording
from simulation.scalers import KedaAndHpa, Original, replay, serve
from simulation.settings import Settings, render


@pytest.fixture(scope="module")
def helm() -> Helm:
    return Helm.of_version("4.3.1")


def ours(helm: Helm, settings: Settings, load: list[float]) -> list[int]:
    return replay(KedaAndHpa(render(helm, settings), settings.window), load)


AT_ONCE = Settings(upscale_stabilization_period=0, downscale_stabilization_period=0, window=10)


@pytest.mark.parametrize("name", [name for name in LOADS if name != "to zero"])
def test_costs_as_much_as_the_original_and_reaches_as_many_replicas(helm: Helm, name: str) -> None:
    original, found = replay(Original(Settings()), LOADS[name]), ours(helm, Settings(), LOADS[name])
    assert sum(found) == pytest.approx(sum(original), rel=0.1)
    assert max(found) == max(original)


def test_reaches_zero_after_the_period_without_a_request_and_wakes_within_15_s(helm: Helm) -> None:
    settings = Settings(min_replicas=0, downscale_stabilization_period=60, window=10)
    load = [3.0] * 100 + [0.0] * 200 + [1.0] * 50
    found = ours(helm, settings, load)
    slept = found.index(0)
    assert 100 + 60 - 5 <= slept <= 100 + 60 + settings.window + 15
    woke = next(second for second in range(300, 350) if found[second])
    assert woke - 300 <= 15


def test_stays_above_zero_while_anything_is_in_flight(helm: Helm) -> None:
    settings = Settings(min_replicas=0, target_in_flight=10, downscale_stabilization_period=0, window=10)
    assert 0 not in ours(helm, settings, [1.0] * 600)


def test_keeps_to_the_limits(helm: Helm) -> None:
    settings = Settings(min_replicas=2, max_replicas=5, upscale_stabilization_period=0, window=10)
    found = ours(helm, settings, [0.0] * 300 + [100.0] * 600)
    assert min(found[15:]) == 2
    assert max(found) == 5


def test_a_need_that_does_not_last_adds_nothing(helm: Helm) -> None:
    settings = Settings(window=10, upscale_stabilization_period=60)
    assert set(ours(helm, settings, [1.0] * 120 + [50.0] * 40 + [1.0] * 300)) == {1}


def test_one_step_up_is_at_most_the_factor_but_one_replica_may_always_come(helm: Helm) -> None:
    found = ours(helm, AT_ONCE, [100.0] * 600)
    for before, after in itertools.pairwise(found):
        assert after <= max(before + 1, -(-before * 3 // 2))
    assert found[:46:15] == [2, 3, 5, 8]


def test_one_step_down_is_at_most_the_factor_but_one_replica_may_always_go(helm: Helm) -> None:
    found = ours(helm, AT_ONCE, [16.0] * 300 + [1.0] * 300)
    for before, after in itertools.pairwise(found):
        assert after >= min(before - 1, before * 3 // 4)
    assert found[-1] == 1


def test_a_tolerance_keeps_what_runs(helm: Helm) -> None:
    settings = Settings(
        window=10, upscale_stabilization_period=0, downscale_stabilization_period=0, upscale_tolerance=0.2
    )
    found = ours(helm, settings, [20.0] * 600 + [20.5] * 300 + [40.0] * 300)
    assert len(set(found[300:900])) == 1
    assert found[-1] > found[899] * 1.5


def test_the_table_of_the_page_is_what_the_simulation_prints(helm: Helm) -> None:
    page = (CHART / "SCALING.md").read_text()
    assert table(compare(helm)) in page, "print it by: PYTHONPATH=tests python -m simulation"


def test_a_replica_works_on_one_request_at_a_time_and_the_others_wait(helm: Helm) -> None:
    recording = Recording([10] * 60 + [0] * 60, service_seconds=4)  # a request a second
    replicas, flight = serve(KedaAndHpa(render(helm, AT_ONCE), AT_ONCE.window), recording)
    assert max(replicas[400:600]) == 4
    assert flight[599] == pytest.approx(4, abs=0.5)
    assert flight[300] >= flight[599]
    assert sum(recording.each_second()) == 600


def test_recorded_requests_cost_no_more_than_with_the_original_and_wait_no_longer(helm: Helm) -> None:
    (original, found), flights = compare_recorded(helm)
    assert sum(found) <= 1.1 * sum(original)
    assert sum(flights[1]) <= 1.1 * sum(flights[0])
    assert recorded_table((original, found), flights) in (CHART / "SCALING.md").read_text()
