"""What an installation has that is no Python: lint and the other commands find the chart in it."""

import re
import tomllib
from pathlib import PurePath

from chart.helm_cli import CHART, ROOT


def test_an_installation_has_the_whole_chart() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = {
        PurePath(folder, file.name).relative_to("share/cortex-async/chart").as_posix()
        for folder, patterns in project["tool"]["setuptools"]["data-files"].items()
        for pattern in patterns
        for file in ROOT.glob(pattern)
        if file.is_file()
    }
    files = {file.relative_to(CHART).as_posix() for file in CHART.rglob("*") if file.is_file()}
    pages = {"README.md", "README.md.j2", "RUNBOOK.md", "SCALING.md", "scaling.svg"}
    assert listed == files - pages


def test_the_demo_installs_the_versions_that_the_tests_run_with() -> None:
    demo, tests = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("glue/requirements-local.txt", "tests/requirements.txt")
    )
    assert {"aiohttp", "boto3", "ministack"} <= demo.keys()
    assert demo.items() <= tests.items()
