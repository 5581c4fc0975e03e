"""The version is in one place, `cortex_async.__version__`: all that names it says the same."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import cortex.version
import cortex_async
import cortex_operator
from chart.helm_cli import ROOT

NAMES = re.compile(
    r"cortex-(?:async|operator):(\d+\.\d+\.\d+)|(?:^|[ {])(?:targetRevision|tag): v(\d\S*\d)|VERSION=(\d\S*)",
    re.MULTILINE,
)
"""Images of the project, its tag in examples, and the variable of the page to paste."""


def _named() -> Iterator[tuple[Path, str]]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in listed:
        file = ROOT / name
        if file.suffix in {".md", ".j2", ".yaml", ".yml", ""} and not name.startswith(("tests/", "CHANGELOG")):
            for found in NAMES.findall(file.read_text(encoding="utf-8")):
                yield file.relative_to(ROOT), next(filter(None, found))


@pytest.mark.parametrize("chart", ["cortex-async", "cortex-operator"])
def test_a_chart_is_of_the_version(chart: str) -> None:
    about = yaml.safe_load((ROOT / "charts" / chart / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == cortex_async.__version__


def test_the_other_packages_are_of_the_version() -> None:
    assert cortex.version.__version__ == cortex_operator.__version__ == cortex_async.__version__


def test_every_page_and_file_names_the_version() -> None:
    named = list(_named())
    assert len({file for file, _ in named}) >= 5
    assert [each for each in named if each[1] != cortex_async.__version__] == []
