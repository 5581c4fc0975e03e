"""`local` as a server: what it prints, and that all its processes end with it."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from .running import Arguments, Start, wait_for


def post(log: str, payload: bytes) -> str:
    """Post to the printed URL; return the URL of the result."""
    match = re.search(r"ready: (\S+)", log)
    assert match is not None
    with urllib.request.urlopen(match[1], data=payload) as answer:
        id_ = re.search(r'"id": ?"([^"]+)"', answer.read().decode())
    assert id_ is not None
    return f"{match[1]}/{id_[1]}"


def paste(line: str, **variables: str) -> str:
    done = subprocess.run(
        ["sh", "-c", line], check=False, capture_output=True, text=True, env={**os.environ, **variables}
    )
    return done.stdout.strip()


def test_printed_lines_submit_a_request_and_read_its_result(local: Start, example: Arguments) -> None:
    run = local(*example("hello-world"))
    run.read_until("Ctrl-C")
    submit, look = re.findall(r"^  .*?:  +(.*curl.*)$", run.log, re.MULTILINE)

    id_ = paste(submit)
    wait_for(lambda: '"completed"' in paste(look, ID=id_), "the result")

    assert '"greeting": "hello, world"' in paste(look, ID=id_)
    run.process.send_signal(signal.SIGINT)
    run.finish()


def test_the_printed_line_looks_into_the_dead_letter_queue_of_the_run(local: Start, example: Arguments) -> None:
    run = local(*example("hello-world"))
    run.read_until("Ctrl-C")
    (look,) = re.findall(r"(AWS_\S+ .*cortex-async dead-letters list .*)$", run.log, re.MULTILINE)

    found = paste(look, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    assert found.split() == ["ID", "SUBMITTED", "RECEIVES", "RESULT"]
    run.process.send_signal(signal.SIGINT)
    run.finish()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_everything(local: Start, api: Arguments, number: signal.Signals) -> None:
    run = local(*api("with-child"))
    run.read_until("ready:")
    assert len(run.survivors()) >= 6  # itself, the guard, emulator, gateway, dispatcher, container, its child

    run.process.send_signal(number)

    assert run.finish().code == 0
    run.assert_nothing_left()


def test_kill_ends_everything(local: Start, api: Arguments, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run = local(*api("with-child"), env={"TMPDIR": str(scratch)})
    run.read_until("ready:")
    assert list(scratch.iterdir())

    run.process.kill()

    run.assert_nothing_left()
    assert not list(scratch.iterdir())


def test_signal_before_it_is_ready_ends_everything(local: Start, api: Arguments) -> None:
    run = local(*api("never-ready"))
    run.read_until("still loading")

    run.process.send_signal(signal.SIGTERM)

    assert run.finish().code == 128 + signal.SIGTERM
    run.assert_nothing_left()


def test_request_in_hand_is_answered_before_the_end(local: Start, api: Arguments) -> None:
    arguments = api()
    folder = Path(arguments[0]).parent
    run = local(*arguments)
    run.read_until("ready:")
    post(run.log, b"slow")
    wait_for((folder / "begun").exists, "the request")

    run.process.send_signal(signal.SIGINT)
    run.read_until("stopping")
    (folder / "go").touch()

    assert run.finish().code == 0
    assert (folder / "answered").exists()


def test_second_signal_does_not_wait_for_the_request_in_hand(local: Start, api: Arguments) -> None:
    arguments = api()
    folder = Path(arguments[0]).parent
    run = local(*arguments)
    run.read_until("ready:")
    post(run.log, b"slow")
    wait_for((folder / "begun").exists, "the request")

    run.process.send_signal(signal.SIGINT)
    run.read_until("stopping")
    run.process.send_signal(signal.SIGINT)

    assert run.finish().code == 0
    assert not (folder / "answered").exists()
    run.assert_nothing_left()


def test_container_that_exits_later_is_started_again_and_gets_its_request(local: Start, api: Arguments) -> None:
    run = local(*api())
    run.read_until("ready:")

    url = post(run.log, b"exit once")

    def answered() -> bool:
        with urllib.request.urlopen(url) as answer:
            return '"completed"' in answer.read().decode()

    run.read_until("container web ended with exit code 7; it is started again at once")
    wait_for(answered, "the result")
    run.process.send_signal(signal.SIGINT)
    assert run.finish().code == 0
    run.assert_nothing_left()


def test_container_that_waits_to_be_started_again_does_not_hold_up_the_end(local: Start, api: Arguments) -> None:
    run = local(*api())
    run.read_until("ready:")
    post(run.log, b"exit")
    run.read_until("it is started again in 10 s")
    run.process.send_signal(signal.SIGINT)
    run.process.send_signal(signal.SIGINT)
    assert run.finish().code == 0
    run.assert_nothing_left()


def test_reader_that_goes_away_ends_the_run(local: Start, api: Arguments) -> None:
    run = local(*api())
    run.read_until("ready:")
    assert run.process.stdout is not None

    run.process.stdout.close()
    run.process.stdout = None
    run.process.send_signal(signal.SIGHUP)

    run.finish()
    run.assert_nothing_left()
