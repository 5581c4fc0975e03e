"""The client installs and starts on the oldest Python that it says it supports, alone."""

import ast
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from chart.helm_cli import ROOT

CLIENT = ROOT / "glue" / "cortex"
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
MAJOR, MINOR = map(int, re.findall(r"\d+", PROJECT["requires-python"]))
_QUIET: Any = {"capture_output": True, "text": True}


def test_every_module_is_of_the_oldest_syntax() -> None:
    for file in CLIENT.rglob("*.py"):
        ast.parse(file.read_text(), str(file), feature_version=(MAJOR, MINOR))


def test_the_command_runs_there(tmp_path: Path) -> None:
    program = shutil.which(f"python{MAJOR}.{MINOR}")
    found = program and subprocess.run([program, "-c", "import sys; print(sys.executable)"], check=False, **_QUIET)
    if not found or found.returncode != 0:
        pytest.skip(f"no Python {MAJOR}.{MINOR} here")
    import yaml  # noqa: PLC0415 (pure Python, so that the old one can use it too)

    (tmp_path / "yaml").symlink_to(Path(yaml.__file__).parent)
    done = subprocess.run(
        [found.stdout.strip(), "-W", "error", "-c", "import cortex.cli.main as m; m.main(['env', 'list'])"],
        env={"PYTHONPATH": f"{CLIENT.parent}:{tmp_path}", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("no environments are configured\n", "")
