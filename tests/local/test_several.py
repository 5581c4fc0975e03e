"""Several values files at once: one gateway, an operator, and APIs that use one another."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from .running import Start, Write, wait_for

_PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


def ask(url: str, payload: bytes = b"{}") -> dict[str, Any]:
    with urllib.request.urlopen(url, data=payload) as answer:
        request_id = json.load(answer)["id"]
    with urllib.request.urlopen(f"{url}/{request_id}?wait=60") as answer:
        return dict(json.load(answer))


def test_a_container_lists_apis_and_chains_to_one_with_no_configuration(local: Start, write: Write) -> None:
    files = write("asker", "chaining.py"), write("reader", "container.py", "serve")
    run = local(*files, "--operator", "--port", "0")
    run.read_until("Ctrl-C")
    asker, reader = re.findall(r"^ready: (\S+)", run.log, re.MULTILINE)
    assert (asker.endswith("/asker"), reader.endswith("/reader")) == (True, True)

    answer = ask(asker)

    assert answer["status"] == "completed", answer
    assert answer["result"] == {
        "apis": ["asker", "reader"],
        "said": {"content_type": "application/json", "body": '{"asked": "by the client"}'},
        "status": "completed",
    }
    (line,) = re.findall(r"list the APIs: +(.*)$", run.log, re.MULTILINE)
    listed = subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True, env=_PATH).stdout
    assert re.search(r"^default +asker +1/1 +1 ", listed, re.MULTILINE), listed
    logs = line.replace("cortex get", "cortex logs reader --random-pod")
    shown = subprocess.run(["sh", "-c", logs], check=False, capture_output=True, text=True, env=_PATH)
    assert "arguments: []" in shown.stdout, shown
    (page,) = re.findall(r"the operator's page: +(\S+)", run.log)
    with urllib.request.urlopen(page) as answered:
        assert b"reader" in answered.read()
    run.process.send_signal(signal.SIGINT)
    assert run.finish().code == 0
    run.assert_nothing_left()


def test_two_files_of_one_api_are_refused(local: Start, write: Write) -> None:
    first = write("one", "container.py", "serve")
    run = local(first, first).finish()
    assert run.code == 1
    assert "two of the values files are of an API one: set another name in one of them" in run.err


def test_webhooks_that_a_shared_gateway_does_not_send_are_refused_or_left_out(local: Start, write: Write) -> None:
    told = Path(write("told", "container.py", "serve"))
    told.write_text(told.read_text() + "\nwebhooks: {enabled: true, secretName: x}\n")
    files = str(told), write("other", "container.py", "serve")
    run = local(*files).finish()
    assert run.code == 1
    assert "told has webhooks" in run.err
    assert "--set webhooks.enabled=false" in run.err

    run = local(*files, "--port", "0", "--set", "webhooks.enabled=false")
    run.read_until("Ctrl-C")
    (url,) = re.findall(r"^ready: (\S+/told)", run.log, re.MULTILINE)
    assert ask(url)["status"] == "completed"
    run.process.send_signal(signal.SIGINT)
    assert run.finish().code == 0


def test_a_request_in_hand_is_answered_before_the_end(local: Start, write: Write) -> None:
    slow = write("slow", "container.py", "serve")
    run = local(slow, write("other", "container.py", "serve"), "--port", "0")
    run.read_until("Ctrl-C")
    (url,) = re.findall(r"^ready: (\S+/slow)", run.log, re.MULTILINE)
    with urllib.request.urlopen(url, data=b"slow"):
        pass
    begun = slow.parent / "begun"
    wait_for(begun.exists, "the request to begin")
    run.process.send_signal(signal.SIGTERM)
    run.read_until("stopping")
    (slow.parent / "go").touch()
    assert run.finish().code == 0
    assert (slow.parent / "answered").exists()
    run.assert_nothing_left()


def test_a_container_that_ends_is_named_with_its_api(local: Start, write: Write) -> None:
    run = local(
        write("works", "container.py", "serve"), write("broken", "container.py", "fail"), "--port", "0"
    ).finish()
    assert run.code == 1
    assert "container web of broken ended with exit code 3" in run.err
    assert "cannot find the weights" in run.err
    run.assert_nothing_left()


def test_what_cannot_run_beside_is_said_before_anything_starts(local: Start, write: Write) -> None:
    first = write("first", "container.py", "serve")
    again = local(first, first, "--port", "0").finish()
    assert (again.code, "of an API first" in again.err) == (1, True)
    port = yaml.safe_load(first.read_text())["pod"]["port"]
    second = write("second", "container.py", "serve")
    second.write_text(
        second.read_text().replace(f"port: {yaml.safe_load(second.read_text())['pod']['port']}", f"port: {port}")
    )
    taken = local(first, second, "--port", "0").finish()
    assert (taken.code, f"port {port} is asked for twice" in taken.err) == (1, True)
    assert "pod.port in its values file" in taken.err
    once = local(first, second, "--once", "{}").finish()
    assert (once.code, "--once takes one values file" in once.err) == (1, True)
