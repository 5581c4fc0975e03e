"""What the metadata of objects tells, whoever wrote it."""

import pytest

from cortex_async.aws.s3 import META
from cortex_async.storage.metadata import headers_of_progress, progress_of, result_of
from cortex_async.storage.protocol import DamagedResult, Progress

RESULT = {"status": "completed", "attempt": "1", "finished": "2026-01-01T00:00:00.000+00:00"}


def headers(**metadata: str) -> dict[str, str]:
    return {META + name: value for name, value in metadata.items()}


@pytest.mark.parametrize(
    "progress",
    [Progress(0), Progress(3, True, True, True), Progress(1, fraction=0.25, message="zur H\u00e4lfte")],
    ids=str,
)
def test_progress_is_read_as_it_was_written(progress: Progress) -> None:
    assert progress_of(headers_of_progress(progress)) == progress


@pytest.mark.parametrize("fraction", ["", "half", "nan", "inf", "-1", "2"])
def test_a_fraction_that_is_none_is_untold(fraction: str) -> None:
    assert progress_of(headers(attempt="2", progress=fraction)) == Progress(2)


def test_a_message_that_is_no_base64_is_untold() -> None:
    assert progress_of(headers(attempt="2", message="x")) == Progress(2)


def test_an_attempt_that_is_no_number_is_the_first() -> None:
    assert progress_of(headers(attempt="-1")) == progress_of({}) == Progress(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "done"), ("attempt", "x"), ("finished", "2026-01-01"), ("finished", '2026-01-01"10:00:00+00:00')],
)
def test_a_result_whose_end_is_not_told_is_damaged(name: str, value: str) -> None:
    assert result_of(headers(**RESULT)).attempt == 1
    with pytest.raises(DamagedResult):
        result_of(headers(**RESULT | {name: value}))
