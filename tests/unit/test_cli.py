"""The help, and how a command ends on Ctrl-C, a closed pipe or a full disk: an exit code and no traceback."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cortex_async_tools import cli

Command = Callable[[Callable[[], object]], None]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Let `cortex-async smoke` be a function."""

    def command(call: Callable[[], object]) -> None:
        module = ModuleType("it")
        module.add_arguments = lambda _: None  # type: ignore[attr-defined]
        module.run = lambda _: 0 if call() is None else 1  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "it", module)
        monkeypatch.setitem(cli.COMMANDS, "smoke", ("it", "it"))

    return command


def fails(error: BaseException) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


def test_without_a_command_it_prints_its_help() -> None:
    program = Path(sys.executable).with_name("cortex-async")
    alone = subprocess.run([program], capture_output=True, text=True, check=False)
    asked = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout.startswith("usage: cortex-async ")
    assert alone.stdout == asked.stdout
    for name, (_, summary) in cli.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", alone.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (PermissionError(13, "Permission denied", "a.yaml"), 1, "cortex-async smoke: a.yaml: Permission denied\n"),
        (RecursionError("deep"), 1, "cortex-async smoke: the input is nested too deeply\n"),
    ],
)
def test_what_stops_a_command_is_told_in_a_line(
    command: Command, error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command(fails(error))
    assert cli.main(["smoke"]) == code
    assert capsys.readouterr().err == message


def test_a_reader_that_has_gone_ends_it_quietly(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command(lambda: print("text"))
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(["smoke"]) == 141
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: print("text"))
    with open("/dev/full", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(["smoke"]) == 1
    assert capsys.readouterr().err == "cortex-async smoke: No space left on device\n"


def test_what_a_terminal_cannot_show_is_escaped(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    command(lambda: print("ü中"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    cli.main(["smoke"])
    assert written.getvalue() == b"\\xfc\\u4e2d\n"
