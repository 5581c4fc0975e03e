"""A cluster with nothing in it, and operators before it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.kubernetes_api import ApiServer, Serving, serving
from support.operator_process import RunningOperator

MakeOperator = Callable[..., RunningOperator]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Serving]:
    with serving(ApiServer(), tmp_path) as running:
        yield running


@pytest.fixture
def make_operator(cluster: Serving, tmp_path: Path) -> Iterator[MakeOperator]:
    """Start operators, with changes of their configuration."""
    started: list[RunningOperator] = []

    def make(**changes: Any) -> RunningOperator:
        started.append(RunningOperator(cluster, tmp_path, changes))
        return started[-1]

    yield make
    for each in started:
        each.process.stop()


@pytest.fixture
def operator(make_operator: MakeOperator) -> RunningOperator:
    """One that allows everything to who has the token."""
    return make_operator()
