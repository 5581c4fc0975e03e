"""Linting many values files at once, as CI of a team does."""

import subprocess
import sys
import time
from pathlib import Path

import yaml

_FILES = 100
_VALUES = Path(__file__).parents[2] / "values"


def seconds(folder: Path) -> float:
    """Return how long `cortex-async lint` takes for copies of the examples, each with a name of its own."""
    folder.mkdir(exist_ok=True)
    examples = sorted(_VALUES.rglob("*.yaml"))
    for number in range(_FILES):
        values = yaml.safe_load(examples[number % len(examples)].read_text())
        values["name"] = f"api-{number}"
        values.setdefault("networking", {})["endpoint"] = f"/api-{number}"
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(values))
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "cortex_async_tools", "lint", "--format", "json", folder],
        capture_output=True,
        check=False,
    )
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stdout or done.stderr
    return took
