"""Fixtures that start local mode on free ports."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.processes import free_port

from .running import ROOT, Local, Write


@pytest.fixture
def local() -> Iterator[Callable[..., Local]]:
    runs: list[Local] = []

    def start(*arguments: str | Path, **options: object) -> Local:
        runs.append(Local(*map(str, arguments), **options))  # type: ignore[arg-type]
        return runs[-1]

    yield start
    for run in runs:
        for survivor in run.survivors():
            os.kill(survivor, signal.SIGKILL)
        run.process.communicate()


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], list[str]]:
    """Copy an example, replace its ports by free ones, and return the arguments that run it."""

    def copy(name: str) -> list[str]:
        folder = tmp_path / name
        shutil.copytree(ROOT / "values" / name, folder)
        file = folder / "values.yaml"
        text = file.read_text()
        for port in ("8080", "8081"):
            text = text.replace(port, str(free_port()))
        file.write_text(text)
        return [str(file), "--port", "0", "--admin-port", "0"]

    return copy


@pytest.fixture
def api(tmp_path: Path) -> Callable[..., list[str]]:
    """Write a values file with one container of a given behaviour, and return the arguments that run it."""

    def write(behaviour: str = "serve", **fields: object) -> list[str]:
        folder = tmp_path / "api"
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("container.py"), folder)
        web = {"name": "web", "image": "web", "command": ["python", "container.py", behaviour], **fields}
        file = folder / "values.yaml"
        file.write_text(yaml.safe_dump({"pod": {"port": free_port(), "containers": [web]}}, sort_keys=False))
        return [str(file), "--port", "0", "--admin-port", "0"]

    return write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a values file with one container, and return it."""

    def made(name: str, program: str, *words: str, **fields: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(Path(__file__).with_name(program), folder)
        web = {"name": "web", "image": "web", "command": ["python", program, *words]}
        file = folder / "values.yaml"
        pod = {"port": free_port(), "containers": [web]}
        file.write_text(yaml.safe_dump({"name": name, "pod": pod, **fields}, sort_keys=False))
        return file

    return made
