"""Fixtures that call commands as a user does, in an empty folder."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cortex_async_tools.chart import helm
from cortex_async_tools.chart.rendering import run_helm
from cortex_async_tools.cli import main


@dataclass(frozen=True)
class Said:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the command. The user's own settings of git and helm are removed."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "HELM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*words: str | Path) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


def advised(file: Path, what: str) -> list[str]:
    """Return the words of a command in the comments of a values file, with the placeholder replaced."""
    (line,) = (each for each in file.read_text().splitlines() if each.startswith(f"#   {what}:"))
    return shlex.split(line.partition(":")[2].replace("<your registry>", "registry.example"))


def rendered_as_advised(file: Path) -> str:
    """Return what the install command in a values file would install."""
    program, command, *words = advised(file, "install it")
    assert (program, command) == ("helm", "install")
    return run_helm(helm.locate(), ["template", *words])
