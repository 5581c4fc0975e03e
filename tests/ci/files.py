"""The files by which CI runs this project, and by which its users run lint in theirs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from chart.helm_cli import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / ".github" / "actions" / "lint" / "action.yml"
GITLAB = ROOT / ".gitlab" / "cortex-async-lint.gitlab-ci.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def load(file: Path) -> Any:
    """Read YAML as GitHub does, to which the key `on` is no boolean."""
    loaded = yaml.safe_load(file.read_text())
    if isinstance(loaded, dict) and True in loaded:
        loaded["on"] = loaded.pop(True)
    return loaded


def steps(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the steps of a workflow's jobs, or of an action."""
    document = load(file)
    for job in document.get("jobs", {}).values():
        yield from job["steps"]
    yield from document.get("runs", {}).get("steps", ())
