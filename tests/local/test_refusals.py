"""When local mode cannot start or go on, it prints one clear message and leaves nothing running."""

import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from .running import ROOT, Arguments, Start


def started(arguments: list[str]) -> bool:
    return (Path(arguments[0]).parent / "started").exists()


def test_wrong_values_are_all_named_and_nothing_starts(local: Start, api: Arguments) -> None:
    arguments = api(imge="x", readiness_probe={"http_get": {"prt": 1}}, args="serve")

    run = local(*arguments, "--once", "x").finish()

    assert run.code == 1
    assert run.err.startswith("cortex-async local: 3 problems in the values file")
    assert "values.yaml:10:5: pod.containers[0].imge: unknown field; did you mean `image`?" in run.err
    assert 'pod.containers[0].args: expected a list or null, got "serve"' in run.err
    assert "pod.containers[0].readiness_probe.http_get.prt: unknown field; did you mean `port`?" in run.err
    assert not started(arguments)


def test_setting_that_helm_refuses_is_named(local: Start, api: Arguments) -> None:
    arguments = api()

    run = local(*arguments, "--set", "pod.port=many").finish()

    assert run.code == 1
    assert "pod.port: " in run.err
    assert not started(arguments)


def test_rule_between_fields_is_told_in_the_charts_words(local: Start, api: Arguments) -> None:
    arguments = api()
    file = Path(arguments[0])
    values = yaml.safe_load(file.read_text())
    values["pod"]["containers"] *= 2
    file.write_text(yaml.safe_dump(values))

    run = local(*arguments).finish()

    assert run.code == 1
    assert "web" in run.err
    assert "execution error" not in run.err
    assert not started(arguments)


def test_container_without_a_command_is_named(local: Start, api: Arguments) -> None:
    run = local(*api(command=None)).finish()

    assert run.code == 1
    assert "container web has no `command`" in run.err


@pytest.mark.parametrize("option", ["--port", "--admin-port", "pod.port"])
def test_taken_port_is_named_with_the_way_to_another(local: Start, api: Arguments, option: str) -> None:
    arguments = api()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        choice = ["--set", f"pod.port={port}"] if option == "pod.port" else [option, str(port)]
        run = local(*arguments, *choice).finish()

    assert run.code == 1
    assert f"port {port}" in run.err
    assert "taken" in run.err
    assert option in run.err
    assert not started(arguments)


def test_container_that_exits_is_named_with_its_last_lines(local: Start, api: Arguments) -> None:
    run = local(*api("fail"), "--once", "x").finish()

    assert run.code == 1
    assert "container web ended with exit code 3; its last lines:\n  web | cannot find the weights" in run.err
    assert run.out == ""
    run.assert_nothing_left()


def test_container_that_ends_well_is_told_that_it_may_not(local: Start, api: Arguments) -> None:
    run = local(*api(command=["true"]), "--once", "x").finish()

    assert run.code == 1
    assert "container web ended with exit code 0, but it must run as long as the API" in run.err


def test_program_that_is_not_there_is_named(local: Start, api: Arguments) -> None:
    run = local(*api(command=["no-such-program"]), "--once", "x").finish()

    assert run.code == 1
    assert "container web cannot be started: there is no program 'no-such-program'" in run.err
    run.assert_nothing_left()


def test_container_that_never_gets_ready_is_named_with_its_last_lines(local: Start, api: Arguments) -> None:
    run = local(*api("never-ready"), "--timeout", "1").finish()

    assert run.code == 1
    assert "not ready after 1 s" in run.err
    assert "web | still loading" in run.err
    run.assert_nothing_left()


def test_helm_that_can_neither_be_found_nor_unpacked_is_told(local: Start, api: Arguments, tmp_path: Path) -> None:
    bare = tmp_path / "venv"  # its own prefix, so that it has no unpacked helm
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    packages = next(bare.glob("lib/python*/site-packages"))
    (packages / "all.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT / 'glue'}\n")
    env = {
        "PATH": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
    }
    arguments = api()

    run = local(*arguments, env=env, python=str(bare / "bin" / "python")).finish()

    assert run.code == 1
    assert "helm" in run.err
    assert "Traceback" not in run.err
    assert not started(arguments)
