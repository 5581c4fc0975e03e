"""`local --once` submits one request, prints its result and exits with 0 or 1."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from support.processes import Emulator, free_port

from .running import Arguments, Start


def test_hello_world_prints_the_completed_result(local: Start, example: Arguments) -> None:
    run = local(*example("hello-world"), "--once", '{"name": "world"}').finish()

    assert run.code == 0, run.err
    assert json.loads(run.out)["greeting"] == "hello, world"
    run.assert_nothing_left()


def test_warm_model_answers_from_the_model_that_its_sidecar_made(local: Start, example: Arguments) -> None:
    run = local(*example("warm-model"), "--once", "Wo ist der Bahnhof?").finish()

    assert run.code == 0, run.err
    assert json.loads(run.out)["language"] == "german"


@pytest.mark.parametrize("container", ["", "web="])
def test_a_command_of_the_image_is_named_by_an_option(local: Start, example: Arguments, container: str) -> None:
    arguments = example("hello-world")
    file = Path(arguments[0])
    file.write_text(file.read_text().replace("      command: [python, server.py]\n", ""))
    assert "command" not in file.read_text()

    run = local(*arguments, "--command", f"{container}python server.py", "--once", '{"name": "world"}').finish()

    assert run.code == 0, run.err
    assert json.loads(run.out)["greeting"] == "hello, world"


def test_failed_request_prints_its_reason_and_exits_1(local: Start, api: Arguments) -> None:
    run = local(*api(), "--once", "refuse").finish()

    assert run.code == 1
    assert "422" in run.out
    run.assert_nothing_left()


def test_prints_the_result_as_the_container_wrote_it(local: Start, api: Arguments) -> None:
    run = local(*api(), "--once", "exact").finish()

    assert run.out == '[12345678901234567890, 1.10,  "\\u00e9", null]\n'


def test_payload_comes_from_a_file_with_the_given_type(local: Start, api: Arguments, tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    payload.write_bytes(b"\x00\xff")

    run = local(*api(), "--once", f"@{payload}", "--content-type", "image/x-test").finish()

    assert json.loads(run.out) == {"content_type": "image/x-test", "body": "\x00\xff"}


def test_container_finds_what_it_would_find_in_a_pod(local: Start, api: Arguments) -> None:
    arguments = api(args=["--port=$(CORTEX_PORT)", "$$(HOME)", "$(NOWHERE)"], env={"MODE": "$(CORTEX_PORT)!"})

    run = local(*arguments, "--once", "environment").finish()

    found = json.loads(run.out)
    env = found["env"]
    port = env["CORTEX_PORT"]
    assert found["cwd"] == str(Path(arguments[0]).parent)
    assert env["MODE"] == f"{port}!"
    assert env["CORTEX_VERSION"]
    assert f"arguments: ['--port={port}', '$(HOME)', '$(NOWHERE)']" in run.err
    assert env["CORTEX_MNT"].endswith("mnt")
    assert "AWS_ACCESS_KEY_ID" not in env


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))  # where it writes its pid file
        server = Emulator(tmp_path)
    yield server.url
    server.process.kill()


def test_uses_the_server_at_the_given_endpoint(local: Start, api: Arguments, endpoint: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "mine"}

    run = local(*api(), "--once", "hello", "--endpoint-url", endpoint, env=keys).finish()

    assert json.loads(run.out)["body"] == "hello"
    s3 = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    assert s3.list_objects_v2(Bucket="cortex-local")["KeyCount"] == 1


def test_missing_credentials_are_told_with_the_way_to_give_them(
    local: Start, api: Arguments, tmp_path: Path
) -> None:
    none = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    none |= {"AWS_CONFIG_FILE": str(tmp_path / "none")}

    run = local(*api(), "--once", "hello", "--endpoint-url", "http://127.0.0.1:9", env=none).finish()

    assert run.code == 1
    assert "no AWS credentials found for http://127.0.0.1:9, where an emulator would take any keys" in run.err
    for way in ("aws sso login", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        assert way in run.err
    run.assert_nothing_left()


def test_endpoint_that_does_not_answer_is_named(local: Start, api: Arguments) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "mine", "AWS_MAX_ATTEMPTS": "1"}
    endpoint = f"http://127.0.0.1:{free_port()}"

    run = local(*api(), "--once", "hello", "--endpoint-url", endpoint, env=keys).finish()

    assert run.code == 1
    assert endpoint in run.err.splitlines()[-1]
    run.assert_nothing_left()
