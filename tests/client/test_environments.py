"""`cli.yaml`: read and written by the client and the command."""

import ctypes
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

import cortex
from cortex import exceptions
from support.operator_process import CORTEX

POD = (
    "default_environment: default\nenvironments:\n  - name: default\n    operator_endpoint: http://operator:8888\n"
)
CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24


def _cortex(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command without root's right to write everywhere."""

    def drop() -> None:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)

    return subprocess.run(
        [CORTEX, *words], env=os.environ | more, capture_output=True, text=True, check=False, preexec_fn=drop
    )


def test_environments_are_added_changed_and_removed(config_folder: Path) -> None:
    assert cortex.env_list() == {"default_environment": None, "environments": []}
    cortex.new_client("one", "http://one/")
    cortex.new_client("two", "http://two")
    assert cortex.client().env_name == "one"
    assert cortex.client("two").env == {"name": "two", "operator_endpoint": "http://two"}
    cortex.new_client("one", "http://other")
    cortex.env_delete("two")
    own = {"name": "one", "operator_endpoint": "http://other"}
    assert cortex.env_list() == {"default_environment": "one", "environments": [own]}
    cortex.env_delete("one")
    with pytest.raises(exceptions.NotFound, match="no default"):
        cortex.client()


def test_the_command_prints_what_the_original_prints() -> None:
    assert _cortex("env", "list").stdout == "no environments are configured\n"
    assert _cortex("env", "configure", "default", "--operator-endpoint", "http://one").returncode == 0
    assert _cortex("env", "configure", "other", "--operator-endpoint", "http://two").returncode == 0
    assert _cortex("env", "default", "other").returncode == 0
    assert json.loads(_cortex("env", "list", "--output", "json").stdout) == {
        "default_environment": "other",
        "environments": [
            {"name": "default", "operator_endpoint": "http://one"},
            {"name": "other", "operator_endpoint": "http://two"},
        ],
    }
    assert _cortex("env", "delete", "default").returncode == 0
    assert _cortex("env", "list").stdout == "other (default)\ncortex operator endpoint: http://two\n"
    done = _cortex("env", "delete", "default")
    assert (done.returncode, done.stderr[:38]) == (1, "error: can't find environment default ")


def test_a_read_only_folder_can_be_read_and_not_changed(config_folder: Path) -> None:
    config_folder.mkdir()
    (config_folder / "cli.yaml").write_text(POD)
    config_folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert _cortex("env", "list").stdout.startswith("default (default)\n")
        for words in (
            ["env", "configure", "more", "--operator-endpoint", "http://more"],
            ["env", "delete", "default"],
            ["env", "default", "default"],
        ):
            done = _cortex(*words)
            assert done.returncode == 1
            assert "is read-only" in done.stderr
            assert "CORTEX_CLI_CONFIG_DIR" in done.stderr
    finally:
        config_folder.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("text", ["[", "- a", "environments: [{name: a}]", "environments: {a: b}"])
def test_a_broken_file_is_named(config_folder: Path, text: str) -> None:
    config_folder.mkdir()
    (config_folder / "cli.yaml").write_text(text)
    with pytest.raises(exceptions.ConfigError, match=r"cli\.yaml"):
        cortex.env_list()


def test_a_client_of_another_version_than_its_cluster_says_so(
    config_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cortex.new_client("one", "http://one")
    monkeypatch.setenv("CORTEX_VERSION", cortex.__version__)
    cortex.client()
    monkeypatch.setenv("CORTEX_VERSION", "7.1.0")
    with pytest.raises(exceptions.VersionMismatch, match=r"install a client of version 7\.1"):
        cortex.client()
    for command in (["get"], ["describe", "api"], ["submit", "api", "{}"]):
        done = _cortex(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the cluster is 7.1.0 (CORTEX_VERSION); install a client of version 7.1" in done.stderr


def test_an_operator_that_is_away_is_named(config_folder: Path) -> None:
    client = cortex.new_client("one", "http://127.0.0.1:1")
    with pytest.raises(exceptions.OperatorUnavailable, match=r"environment one at http://127\.0\.0\.1:1"):
        client.list_apis()
    done = _cortex("get")
    assert (done.returncode, done.stdout) == (1, "")
    assert "environment one" in done.stderr


def test_there_are_no_jobs() -> None:
    client = cortex.new_client("one", "http://127.0.0.1:1")
    for call in (client.get_job, client.stop_job):
        with pytest.raises(exceptions.NotSupported, match="no jobs"):
            call("api", "job")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_names_every_command(shell: str) -> None:
    script = _cortex("completion", shell).stdout
    usage = _cortex("--help").stdout
    for command in ("get", "describe", "deploy", "refresh", "delete", "logs", "env", "submit", "result", "cancel"):
        assert command in script
        assert command in usage
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
