"""What counts as growth; `make soak` is the run itself."""

import pytest

from soak.usage import Usage, growth

BEFORE = Usage(50.0, 20, 1, 8)


def rounds(*memory: float) -> list[Usage]:
    return [Usage(each, 30, 1, 12) for each in memory]


def test_what_comes_and_goes_with_the_load_is_no_growth() -> None:
    warming = rounds(60, 66, 70, 72, 71, 72, 71, 72)
    assert growth(BEFORE, warming, Usage(72.0, 24, 2, 9)) == []


def test_memory_that_grows_with_each_round_is_found() -> None:
    (found,) = growth(BEFORE, rounds(60, 62, 64, 66, 68, 70, 72, 74), BEFORE)
    assert found == "memory: 69.0 MiB in the third quarter, 73.0 MiB in the last"


@pytest.mark.parametrize("what", ["descriptors", "threads", "tasks"])
def test_what_is_held_when_all_is_idle_again_is_found(what: str) -> None:
    after = Usage(**{"memory": 50.0, "descriptors": 20, "threads": 1, "tasks": 8, what: 40})  # type: ignore[arg-type]
    (found,) = growth(BEFORE, rounds(*[70.0] * 8), after)
    assert found.startswith(what)
