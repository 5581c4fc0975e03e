"""Several values files, as helm takes them: `-f` lays one over another, for every command that reads values."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from authoring.conftest import Command
from chart.helm_cli import minimal
from cortex_async_tools.chart.values_file import find_chart
from cortex_async_tools.local.rendered_release import render_release

PLATFORM: dict[str, Any] = {"aws": {"region": "eu-west-1", "bucket": "results"}}
API: dict[str, Any] = {"name": "reader", "pod": minimal()["pod"]}


@pytest.fixture
def files(folder: Path) -> Path:
    (folder / "reader.yaml").write_text(yaml.safe_dump(API))
    (folder / "platform.yaml").write_text(yaml.safe_dump(PLATFORM))
    (folder / "staging.yaml").write_text(yaml.safe_dump({"aws": {"bucket": "staging"}}))
    return folder


def test_what_a_file_lacks_alone_it_has_with_those_laid_over_it(call: Command, files: Path) -> None:
    alone = call("lint", "reader.yaml")
    assert alone.code == 1
    assert "aws.bucket: required" in alone.out
    both = call("lint", "reader.yaml", "-f", "platform.yaml")
    assert both.code == 0, both.out


def test_the_last_file_wins(call: Command, files: Path) -> None:
    said = call("iam-policy", "reader.yaml", "-f", "platform.yaml", "-f", "staging.yaml", "--for", "gateway")
    assert "arn:aws:s3:::staging" in said.out
    assert "arn:aws:s3:::results" not in said.out


def test_local_mode_takes_them_too(files: Path) -> None:
    over = [files / "platform.yaml", files / "staging.yaml"]
    release = render_release(files / "reader.yaml", find_chart(), {}, [], {"": ["true"]}, over)
    assert release.api["storage"]["bucket"] == "staging"


@pytest.mark.parametrize(
    ("wrong", "code", "text"),
    [
        ({"aws": {"buckt": "x"}}, "schema", "aws.buckt: unknown field; did you mean `bucket`?"),
        ({"autoscaling": {"window": "15s"}}, "rule", "autoscaling.window: 15s is not a multiple of 10s"),
        ({"podDisruptionBudget": {"enabled": True, "maxUnavailable": 0}}, "CA017", "podDisruptionBudget"),
    ],
)
def test_lint_points_at_the_file_that_is_wrong_and_once(
    call: Command, files: Path, wrong: dict[str, Any], code: str, text: str
) -> None:
    (files / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    (files / "writer.yaml").write_text(yaml.safe_dump(API | {"name": "writer"}))
    words = ["lint", "--strict", "reader.yaml", "writer.yaml", "-f", "platform.yaml", "-f", "wrong.yaml"]
    said = call(*words, "--format", "json")
    (found,) = [each for each in json.loads(said.out)["findings"] if each["code"] == code]
    assert found["file"] == "wrong.yaml"
    assert found["line"] > 1
    assert text in f"{found['field']}: {found['message']}"


@pytest.mark.parametrize("command", ["iam-policy", "diff", "local", "lint"])
def test_what_is_wrong_in_a_file_laid_over_is_told_at_its_place(call: Command, files: Path, command: str) -> None:
    (files / "wrong.yaml").write_text("clusterName: x\naws: {buckt: x}\n")
    said = call(command, "reader.yaml", "-f", "platform.yaml", "-f", "wrong.yaml")
    assert said.code == 1
    assert "wrong.yaml:2:7" in said.out + said.err
    (files / "wrong.yaml").write_text("a: [\n")
    said = call(command, "reader.yaml", "-f", "wrong.yaml")
    assert said.code == 1
    assert "wrong.yaml:2" in said.out + said.err


def test_a_comment_in_the_file_laid_over_suppresses_what_is_in_it(call: Command, files: Path) -> None:
    (files / "budget.yaml").write_text(
        "podDisruptionBudget: {enabled: true, maxUnavailable: 0} # cortex-async: ignore CA017\n"
    )
    said = call("lint", "reader.yaml", "-f", "platform.yaml", "-f", "budget.yaml")
    assert "CA017" not in said.out


def test_diff_has_them_on_both_sides(call: Command, files: Path) -> None:
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm first"):
        assert os.system(f"git {words}") == 0
    (files / "reader.yaml").write_text(yaml.safe_dump(API | {"queue": {"maxAttempts": 7}}))
    said = call("diff", "reader.yaml", "-f", "platform.yaml")
    assert said.code == 0, said.err
    assert '"maxAttempts": 7' in said.out
    assert "results" not in "".join(line for line in said.out.splitlines() if line[:1] in "+-")
