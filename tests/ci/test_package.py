"""What an installation has that is no Python: lint and the other commands find the chart in it."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path, PurePath

import pytest
import yaml

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


CI_VALUES = sorted((ROOT / "charts").glob("*/ci/*-values.yaml"))


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_helm_lint_finds_nothing_with_the_charts_own_values(values: Path) -> None:
    words: list[str | Path] = [helm.locate(), "lint", "--strict", values.parents[1], "--values", values]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert not re.findall(r"^\[\w+\].*", done.stdout, re.MULTILINE)  # nor is anything recommended


def test_packaged_charts_say_where_they_are_from_when_that_is_known(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "charts", checkout / "charts")
    shutil.copy(ROOT / "Makefile", checkout)
    url = "https://git.internal/cortex-async"
    words = ["make", "package-charts", f"SOURCE_URL={url}", f"HELM=echo {helm.locate()}", f"VENV={sys.prefix}"]
    subprocess.run(words, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    packages = sorted((checkout / "dist").glob("*.tgz"))
    assert len(packages) == 2
    for package in packages:
        with tarfile.open(package) as archive:
            (name,) = [
                each for each in archive.getnames() if each.count("/") == 1 and each.endswith("/Chart.yaml")
            ]
            member = archive.extractfile(name)
            assert member is not None
            about = yaml.safe_load(member.read())
        assert about["home"] == url
        assert about["sources"] == [url]
        assert about["icon"].startswith("data:image/svg+xml;base64,")
        assert about["maintainers"]


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
