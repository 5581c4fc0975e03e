"""Fixtures that write values files and lint them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cortex_async_tools.chart import helm
from cortex_async_tools.chart.values_file import find_chart
from cortex_async_tools.lint.diagnostic import Diagnostic
from cortex_async_tools.lint.linter import Linter


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(values: dict[str, Any] | str, name: str = "values.yaml") -> Path:
        file = tmp_path / name
        file.write_text(values if isinstance(values, str) else yaml.safe_dump(values, sort_keys=False))
        return file

    return write


@pytest.fixture(scope="session")
def linter() -> Linter:
    return Linter(find_chart(), helm.locate(), ["1.29", "1.37"])


@pytest.fixture
def lint(linter: Linter, write: Callable[..., Path]) -> Callable[..., list[Diagnostic]]:
    def lint(*texts: dict[str, Any] | str) -> list[Diagnostic]:
        return linter.lint([write(text, f"values-{number}.yaml") for number, text in enumerate(texts)])

    return lint
