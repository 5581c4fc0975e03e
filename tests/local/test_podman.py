"""`local --runtime podman`: containers run from their images, see what a pod's would, and end with the run."""

import json
import shutil
import signal
import subprocess
import urllib.request
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.processes import free_port

from .running import Start, wait_for

_IMAGE = "hello-world:1.0.0"

_SEES = """
import http.server, json, os, pathlib, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if "die" in self.path:
            os._exit(3)
        shared = pathlib.Path("/mnt/of-the-sidecar")
        found = {"uid": os.getuid(), "env": dict(os.environ), "cli": os.listdir("/cortex/client"), "words": WORDS}
        try:
            pathlib.Path("/cortex/client/mine").touch()
        except OSError as error:
            found["client"] = error.strerror
        while not shared.exists():
            time.sleep(0.1)
        found["shared"] = shared.read_text()
        status = pathlib.Path("/proc/self/status").read_text()
        rights = [line for line in status.splitlines() if line.startswith(("CapBnd", "NoNewPrivs"))]
        found["rights"] = [line.split()[1] for line in rights]
        answer = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
import sys
WORDS = sys.argv[1:]
http.server.ThreadingHTTPServer(("", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
"""
_SIDECAR = "import pathlib, time; pathlib.Path('/mnt/of-the-sidecar').write_text('written'); time.sleep(600)"


def _obstacle() -> str | None:
    """What keeps podman from running the example's image here."""
    if shutil.which("podman") is None:
        return "podman is not installed"
    line = ["podman", "run", "--rm", "--pull", "never", "--network", "host", _IMAGE, "true"]
    tried = subprocess.run(line, check=False, capture_output=True, text=True, timeout=60)
    if tried.returncode == 0:
        return None
    return f"podman cannot run {_IMAGE} (podman build -t {_IMAGE} values/hello-world): {tried.stderr.strip()}"


@pytest.fixture(scope="module")
def _podman() -> None:
    if obstacle := _obstacle():
        pytest.skip(obstacle)


def values_file(folder: Path, containers: Sequence[dict[str, Any]], name: str = "imaged") -> list[str]:
    file = folder / f"{name}.yaml"
    pod = {"port": free_port(), "containers": list(containers)}
    file.write_text(yaml.safe_dump({"name": name, "pod": pod}, sort_keys=False))
    return [str(file), "--runtime", "podman"]


def containers(web: str) -> list[str]:
    """Those of the run whose first container has that name."""
    line = ["podman", "ps", "--all", "--format", "{{.Names}}", "--filter", f"name=cortex-local-.*{web}"]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.split()


@pytest.fixture
def web() -> str:
    """A name for a container that no other run has."""
    return f"web-{uuid.uuid4().hex[:8]}"


ALONE = ("--port", "0", "--admin-port", "0")


@pytest.mark.usefixtures("_podman")
def test_image_runs_its_own_command_and_nothing_is_left(local: Start, tmp_path: Path, web: str) -> None:
    arguments = values_file(tmp_path, [{"name": web, "image": _IMAGE}])
    run = local(*arguments, *ALONE, "--once", '{"name": "image"}').finish()
    assert run.code == 0, run.err
    assert json.loads(run.out)["greeting"] == "hello, image"
    run.assert_nothing_left()
    assert containers(web) == []


@pytest.mark.usefixtures("_podman")
def test_containers_see_what_those_of_a_pod_see(local: Start, tmp_path: Path, web: str) -> None:
    first = {
        "name": web,
        "image": _IMAGE,
        "command": ["python", "-c", _SEES],
        "args": ["--port=$(CORTEX_PORT)"],
        "env": {"MODE": "$(CORTEX_PORT)!"},
    }
    sidecar = {"name": f"sidecar-of-{web}", "image": _IMAGE, "command": ["python", "-c"], "args": [_SIDECAR]}
    arguments = values_file(tmp_path, [first, sidecar])

    run = local(*arguments, *ALONE, "--once", "{}", env={"OF_THE_SHELL": "1"}).finish()

    assert run.code == 0, run.err
    found = json.loads(run.out)
    env = found["env"]
    assert env["MODE"] == f"{env['CORTEX_PORT']}!"
    assert found["words"] == [f"--port={env['CORTEX_PORT']}"]
    assert (env["CORTEX_CLI_CONFIG_DIR"], found["cli"]) == ("/cortex/client", ["cli.yaml"])
    assert env["CORTEX_PROGRESS_URL"].endswith("/progress")
    assert env.keys().isdisjoint({"OF_THE_SHELL", "CORTEX_MNT", "AWS_ACCESS_KEY_ID"})
    assert found["uid"] == 10001  # the image's
    assert found["client"] == "Read-only file system"
    assert found["shared"] == "written"
    assert found["rights"] == ["0000000000000000", "1"]
    assert containers(web) == []


@pytest.mark.usefixtures("_podman")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_containers_end_with_the_run(local: Start, tmp_path: Path, web: str, number: signal.Signals) -> None:
    arguments = values_file(tmp_path, [{"name": web, "image": _IMAGE}])
    run = local(*arguments, *ALONE)
    run.read_until("Ctrl-C")
    assert len(containers(web)) == 1
    run.process.send_signal(number)
    run.assert_nothing_left()
    wait_for(lambda: containers(web) == [], "the end of the container")


@pytest.mark.usefixtures("_podman")
def test_container_that_exits_is_started_again(local: Start, tmp_path: Path, web: str) -> None:
    run = local(
        *values_file(tmp_path, [{"name": web, "image": _IMAGE, "command": ["python", "-c", _SEES]}]), *ALONE
    )
    run.read_until("Ctrl-C")
    url = run.log.partition("ready: ")[2].split()[0]
    urllib.request.urlopen(f"{url}?die", data=b"{}").close()
    run.read_until(f"container {web} ended with exit code 3; it is started again at once")
    run.process.send_signal(signal.SIGTERM)
    assert run.finish().code == 0
    assert containers(web) == []


@pytest.mark.usefixtures("_podman")
def test_two_apis_have_a_container_each(local: Start, tmp_path: Path, web: str) -> None:
    same = [{"name": web, "image": _IMAGE}]
    first, second = values_file(tmp_path, same, "one"), values_file(tmp_path, same, "two")
    run = local(first[0], *second, "--port", "0")
    run.read_until("Ctrl-C")
    assert len(containers(web)) == 2
    run.process.send_signal(signal.SIGTERM)
    assert run.finish().code == 0
    assert containers(web) == []


def test_without_podman_it_says_so(local: Start, tmp_path: Path, web: str) -> None:
    run = local(*values_file(tmp_path, [{"name": web, "image": "any"}]), env={"PATH": str(tmp_path)}).finish()
    assert run.code == 1
    assert "--runtime podman needs podman, which is not on PATH" in run.err
