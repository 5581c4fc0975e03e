"""What users put into their CI, run as their CI would: it fails on a broken file, and passes on a clean one."""

import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chart.helm_cli import minimal
from ci.files import ACTION, GITLAB, HOOKS, load, steps

PROGRAMS = Path(sys.executable).parent
CLEAN = minimal()
CLEAN["pod"]["containers"][0]["compute"] = {"mem": "64Mi"}
BROKEN = {**CLEAN, "logLevl": "info"}
WARNED = minimal()

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in {"clean": CLEAN, "broken": BROKEN, "warned": WARNED}.items():
        file = tmp_path / name / "values" / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(yaml.safe_dump({**values, "name": name}))
    return tmp_path


@pytest.fixture
def action(folder: Path) -> Run:
    """Run the action's last step in a folder, with its inputs' defaults, as if its first step had been run."""
    document = load(ACTION)
    *_, step = steps(ACTION)
    (folder / "cortex-async").mkdir()
    (folder / "cortex-async" / "bin").symlink_to(PROGRAMS)

    def run(name: str, **inputs: str) -> "subprocess.CompletedProcess[str]":
        given = {key: each["default"] for key, each in document["inputs"].items()} | inputs
        variables = {
            key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], value)
            for key, value in step["env"].items()
        }
        assert not any("${{" in value for value in variables.values())
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder / name,
            env={**os.environ, **variables, "RUNNER_TEMP": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_action_passes_a_clean_file_and_annotates_a_broken_one(action: Run) -> None:
    clean = action("clean")
    assert (clean.returncode, clean.stdout) == (0, "")
    broken = action("broken")
    assert broken.returncode == 1
    line = yaml.safe_dump({**BROKEN, "name": "broken"}).splitlines().index("logLevl: info") + 1
    assert broken.stdout == (
        f"::error file=values/broken.yaml,line={line},col=1,title=schema::"
        "logLevl: unknown field; did you mean `logLevel`?\n"
    )


def test_the_action_fails_for_warnings_only_when_it_is_strict(action: Run) -> None:
    assert action("warned").returncode == 0
    strict = action("warned", strict="true")
    assert strict.returncode == 1
    assert strict.stdout.startswith("::warning file=values/warned.yaml,")


@pytest.mark.parametrize(("name", "code", "results"), [("broken", 1, 1), ("clean", 0, 0)])
def test_the_action_writes_sarif_too(action: Run, folder: Path, name: str, code: int, results: int) -> None:
    done = action(name, sarif="lint.sarif", **{"kube-versions": "1.30 1.33"})
    assert done.returncode == code
    assert done.stdout.count("::error") == results
    log = json.loads((folder / name / "lint.sarif").read_text())
    assert len(log["runs"][0]["results"]) == results


def test_the_action_says_when_it_cannot_run(action: Run) -> None:
    done = action("clean", values="nowhere")
    assert done.returncode == 2
    assert "nowhere: no such file" in done.stderr
    assert action("clean", values="nowhere", sarif="lint.sarif").returncode != 0


def test_the_hook_is_lint_of_the_changed_files(folder: Path) -> None:
    (hook,) = load(HOOKS)
    program, *arguments = shlex.split(hook["entry"])
    command = [str(PROGRAMS / program), *arguments]
    for name, code in {"clean": 0, "broken": 1}.items():
        assert (
            subprocess.run([*command, folder / name / "values" / f"{name}.yaml"], check=False).returncode == code
        )


def test_the_hook_takes_values_files_and_no_others() -> None:
    (hook,) = load(HOOKS)
    named = {
        "values/a.yaml",
        "values/a.yml",
        "values/a/values.yaml",
        "values/a/b/values-prod.yml",
        "apis/values/a.yaml",
    }
    others = {
        "a.yaml",
        "charts/cortex-async/values.yaml",
        "values/a/other.yaml",
        "values/a/server.py",
    }
    assert {each for each in named | others if re.search(hook["files"], each)} == named


def test_an_installation_brings_what_lint_and_local_need() -> None:
    requirements = importlib.metadata.requires("cortex-async") or []
    names = {re.split(r"[^\w-]", each)[0] for each in requirements if "extra ==" not in each}
    assert names >= {"aiohttp", "boto3", "jinja2", "jsonschema", "kubernetes-validate", "ministack", "pyyaml"}


def test_the_gitlab_job_lints_what_its_variable_names(folder: Path) -> None:
    (job,) = load(GITLAB).values()
    *_, command = job["script"]
    for name, code in {"clean": 0, "broken": 1}.items():
        environment = {**os.environ, **job["variables"], "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        assert (
            subprocess.run(["sh", "-c", command], cwd=folder / name, env=environment, check=False).returncode
            == code
        )
