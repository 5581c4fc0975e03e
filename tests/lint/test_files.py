"""Which files lint reads, and which helm it runs."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chart.helm_cli import minimal
from cortex_async_tools.cli import main

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(file: Path, script: str) -> Path:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_folder_is_searched_for_values_files(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = ["values/x.yml", "values/values.yaml", "values/sub/values-prod.yaml", "values/a/b/values.yml"]
    left = ["values/.hidden.yaml", "values/.git/values.yaml", "values/sub/deploy.yaml", "values/sub/x-values.yaml"]
    for name in [*taken, *left]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write("[]", name)
    (folder / "values/a/circle").symlink_to(folder / "values")
    assert main(["lint"]) == 1
    said = capsys.readouterr()
    assert {line.partition(":")[0] for line in said.out.splitlines() if "error" in line} == set(taken)
    assert said.err.startswith("4 files, 4 errors")


def test_a_file_is_linted_once_by_whatever_name(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(minimal(name="a1"), "a.yaml")
    (folder / "link.yaml").symlink_to(file)
    main(["lint", "a.yaml", str(file), "link.yaml", "./a.yaml"])
    said = capsys.readouterr()
    assert "CA006" not in said.out
    assert said.err.startswith("1 file,")


def test_a_pipe_is_linted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder / "pipe")
    text = json.dumps(minimal())
    threading.Thread(target=(folder / "pipe").write_text, args=[text], daemon=True).start()
    assert main(["lint", "pipe"]) == 0
    assert capsys.readouterr().err == "1 file, 0 errors, 1 warning\n"


def test_stdin_is_linted() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cortex_async_tools", "lint", "-"],
        input="name: a\npodd: {}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "/dev/stdin:2:1: error [schema] podd: unknown field; did you mean `pod`?\n" in done.stdout


def test_text_beyond_ascii_is_linted_in_any_locale(write: Write) -> None:
    values = minimal()
    values["pod"]["containers"][0]["env"] = {"GREETING": "é"}
    locale = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "cortex_async_tools", "lint", write(values)],
        capture_output=True,
        check=False,
        env={**os.environ, **locale},
    )
    assert (done.returncode, done.stderr) == (0, b"1 file, 0 errors, 1 warning\n")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "a.yaml"), RecursionError()])
def test_what_cannot_be_read_exits_2(
    write: Write, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Path) -> bytes:
        raise error

    write(minimal(), "a.yaml")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert main(["lint", "a.yaml"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("script", ["kill -9 $$", "exit 3"])
def test_a_helm_that_says_nothing_is_told_by_how_it_ended(
    folder: Path, write: Write, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    helm = program(folder / "helm", f'[ "$1" = version ] && echo v4.0.0 && exit; {script}')
    assert main(["lint", str(write(minimal())), "--helm", str(helm)]) == 1
    how = "was ended by signal 9" if "kill" in script else "ended with exit code 3"
    assert f"[helm] helm {how} and said nothing\n" in capsys.readouterr().out


def test_where_no_helm_can_be_unpacked_it_says_what_to_do(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(minimal())
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "prefix", str(file))  # a file, in which not even root can write
    assert main(["lint", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("cortex-async lint: cannot unpack helm 4.3.1 into ")
    assert said.endswith("put helm 3.18 or newer on PATH\n")
