"""What `make dashboard-check` takes for wrong."""

from dashboard.__main__ import Line, judged
from dashboard.prometheus import Series, selectors

LINE = Line("Attempts", "reqps", "attempts", "rate(x[10s])")


def series(*values: float) -> Series:
    return Series({}, list(enumerate(values)))


def test_an_empty_line_or_one_that_never_leaves_zero_is_wrong() -> None:
    assert "empty" in str(judged(LINE, []))
    assert "empty" in str(judged(LINE, [series(*[float("nan")] * 20)]))
    assert "always 0" in str(judged(LINE, [series(*[0] * 20)]))
    assert judged(LINE, [series(*[0] * 20), series(*[0, 1] * 10)]) is None


def test_selectors_are_found_whatever_their_labels_hold() -> None:
    expression = 'avg by (a) (x{pod=~"a-[0-9]{5}",b="}"}) > 2 * y_total{c!=""} unless absent(z{})'
    assert selectors(expression) == ['x{pod=~"a-[0-9]{5}",b="}"}', 'y_total{c!=""}', "z{}"]
