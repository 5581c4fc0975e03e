"""What an installation has that is no Python: lint and the other commands find the chart in it."""

import re
import subprocess
import tarfile
import tomllib
from pathlib import Path, PurePath

import pytest

from chart.helm_cli import CHART, ROOT
from cortex_async_tools.chart import helm


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
    assert listed == {
        each for each in files if not each.endswith((".md", ".md.j2", ".svg")) and not each.startswith("ci/")
    }


def test_the_demo_installs_the_versions_that_the_tests_run_with() -> None:
    demo, tests = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("glue/requirements-local.txt", "tests/requirements.txt")
    )
    needed = [(ROOT / f"glue/requirements{part}.in").read_text().replace("_", "-") for part in ("", "-local")]
    assert set(re.findall(r"^[\w-]+", "\n".join(needed), re.MULTILINE)) <= demo.keys()
    assert demo.items() <= tests.items()


@pytest.mark.parametrize("values", sorted((CHART / "ci").glob("*-values.yaml")), ids=lambda file: file.stem)
def test_helm_lint_passes_with_the_charts_own_values(values: Path) -> None:
    subprocess.run([helm.locate(), "lint", "--strict", CHART, "--values", values], check=True)


def test_a_packaged_chart_has_the_charts_version_and_no_values_of_ci(tmp_path: Path) -> None:
    subprocess.run(
        [helm.locate(), "package", CHART, "--destination", tmp_path], check=True, stdout=subprocess.DEVNULL
    )
    (package,) = tmp_path.glob("*.tgz")
    (version,) = re.findall(r"^version: (\S+)$", (CHART / "Chart.yaml").read_text(), re.MULTILINE)
    assert package.name == f"cortex-async-{version}.tgz"
    with tarfile.open(package) as archive:
        names = archive.getnames()
    assert "cortex-async/values.schema.json" in names
    assert not [name for name in names if name.startswith("cortex-async/ci/")]
