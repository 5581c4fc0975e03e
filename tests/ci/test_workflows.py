"""Workflows, action and GitLab job are what their consumers' schemas say, pinned, and name only what there is."""

import importlib.resources
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chart.helm_cli import CHART, ROOT
from ci.files import ACTION, GITLAB, HOOKS, WORKFLOWS, load, steps
from cortex_async_tools.chart import helm

STEPS = [(file, step) for file in [*WORKFLOWS, ACTION] for step in steps(file)]
SCRIPTS = [(file, step["run"]) for file, step in STEPS if "run" in step]
SCHEMAS = {ACTION: "github-actions", GITLAB: "gitlab-ci", **dict.fromkeys(WORKFLOWS, "github-workflows")}


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name)
def test_it_is_what_its_schema_says(file: Path) -> None:
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema: dict[str, Any] = json.loads((folder / f"{SCHEMAS[file]}.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(load(file))] == []


def test_every_action_of_others_is_pinned_by_its_commit_and_says_its_version() -> None:
    lines = [line for file in [*WORKFLOWS, ACTION] for line in file.read_text().splitlines() if "uses:" in line]
    assert lines
    versions: dict[str, set[str]] = {}
    for line in lines:
        if "uses: ./" in line:
            assert (ROOT / line.partition("uses: ")[2] / "action.yml").is_file(), line
            continue
        match = re.fullmatch(r"\s*(?:- )?uses: ([\w-]+/[\w-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
        assert match, line
        versions.setdefault(match[1], set()).add(match[2])
    assert {name: len(pins) for name, pins in versions.items()} == dict.fromkeys(versions, 1)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_job_may_only_read_unless_it_says_so_and_ends_in_time(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 45, name


@pytest.mark.parametrize(("file", "script"), SCRIPTS, ids=lambda each: getattr(each, "name", ""))
def test_a_script_is_bash_and_takes_no_text_of_others_into_itself(file: Path, script: str) -> None:
    assert "${{" not in script  # what comes from outside comes as a variable, which bash does not run
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    "target", sorted({each for _, run in SCRIPTS for each in re.findall(r"\bmake (\S+)", run)})
)
def test_every_make_target_exists(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_program_and_path_exists() -> None:
    text = "\n".join(run for _, run in SCRIPTS)
    for program in re.findall(r"\.venv/bin/(\w+)", text):
        assert (ROOT / ".venv" / "bin" / program).exists(), program
    for path in set(re.findall(r"(?<![\w/])(?:charts|values|glue)/[\w./-]*\w", text)) - {"charts/cortex-async"}:
        assert (ROOT / path).exists(), path


def test_the_helms_that_are_asked_for_can_be_unpacked() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "ci.yml")
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]["include"]
    assert {each["helm"] for each in matrix} == helm.WHEELS.keys()
    for _, run in SCRIPTS:
        assert set(re.findall(r"cortex_async\.helm --version (\d\S*)\)", run)) <= helm.WHEELS.keys()


def test_every_image_target_that_is_built_is_a_stage_of_the_dockerfile() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "glue" / "Dockerfile").read_text(), re.MULTILINE))
    places = [run for _, run in SCRIPTS] + [(ROOT / "Makefile").read_text(), (CHART / "README.md").read_text()]
    named = {target for text in places for target in re.findall(r"--target (\w+)", text)}
    assert "emulator" in named
    assert named <= stages


def test_no_registry_is_named() -> None:
    for file in [*WORKFLOWS, ACTION, GITLAB, HOOKS]:
        assert not re.search(r"\b[\w-]+\.(io|com|dev)/", file.read_text()), file
