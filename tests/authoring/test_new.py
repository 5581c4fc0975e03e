"""new writes a values file without any lint findings, or says why it cannot."""

import shlex
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from authoring.conftest import Command, advised, rendered_as_advised
from chart.helm_cli import CHART, ROOT


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--gpu", "2", "--cpu", "4", "--mem", "16Gi", "--max-concurrency", "8", "--port", "9000"],
        ["--cpu", "0.5", "--region", "eu-central-1", "--bucket", "results"],
    ],
)
def test_lint_has_nothing_against_the_file(call: Command, folder: Path, options: list[str]) -> None:
    assert call("new", "reader", "--image", "team/reader:1.0", *options).code == 0
    linted = call("lint", "--strict", "reader.yaml")
    assert (linted.code, linted.out) == (0, "")


def test_every_option_is_in_the_file(call: Command, folder: Path) -> None:
    options = ["--image", "team/reader:1.0", "--gpu", "2", "--cpu", "4", "--mem", "16Gi", "--port", "9000"]
    options += ["--max-concurrency", "8", "--region", "eu-central-1", "--bucket", "results"]
    said = call("new", "reader", *options, "--output", "apis/reader.yaml")
    assert (said.code, said.err) == (0, "")
    assert yaml.safe_load((folder / "apis/reader.yaml").read_text()) == {
        "name": "reader",
        "kind": "AsyncAPI",
        "pod": {
            "port": 9000,
            "max_concurrency": 8,
            "containers": [
                {"name": "api", "image": "team/reader:1.0", "compute": {"cpu": 4, "mem": "16Gi", "gpu": 2}}
            ],
        },
        "aws": {"region": "eu-central-1", "bucket": "results"},
    }


def test_what_is_commented_out_is_valid_too(call: Command, folder: Path) -> None:
    call("new", "reader", "--image", "team/reader:1.0", "--gpu", "1")
    lines = (folder / "reader.yaml").read_text().splitlines()
    fields = (
        "request_timeout",
        "command",
        "env",
        "readiness_probe",
        "node_groups",
        "securityContext",
        "networking",
    )
    everything = "\n".join(
        line.replace("# ", "", 1)
        if line.strip().removeprefix("# ").startswith(tuple(f"{f}:" for f in fields))
        else line
        for line in lines
    )
    (folder / "all.yaml").write_text(everything)
    assert len(yaml.safe_load(everything)) == 7
    assert call("lint", "--strict", "all.yaml").out == ""


@pytest.mark.parametrize("output", ["reader.yaml", "my apis/the file.yaml"])
def test_commands_in_the_file_work_as_they_stand(call: Command, folder: Path, output: str) -> None:
    said = call("new", "reader", "--image", "reader:1", "--output", output)
    assert "image: registry.example/cortex-async:" in rendered_as_advised(folder / output).replace('"', "")
    program, *words = advised(folder / output, "check it")
    assert (program, call(*words).code) == ("cortex-async", 0)
    assert advised(folder / output, "what an edit does") == ["cortex-async", "diff", output]
    assert said.out.endswith(f"cortex-async lint {shlex.quote(output)}\n")


@pytest.mark.parametrize("where", ["charts/cortex-async", "my charts/cortex-async"])
def test_a_chart_below_the_working_folder_is_named_from_there(call: Command, folder: Path, where: str) -> None:
    shutil.copytree(CHART, folder / where)
    call("new", "reader", "--image", "reader:1", "--chart", folder / where)
    assert advised(folder / "reader.yaml", "install it")[3] == where
    assert rendered_as_advised(folder / "reader.yaml")


def test_editors_find_the_schema(call: Command, folder: Path) -> None:
    call("new", "reader", "--image", "reader:1")
    _, _, reference = (folder / "reader.yaml").read_text().splitlines()[0].partition(" $schema=")
    assert not reference.startswith(("/", "file:"))
    assert (folder / reference).resolve() == ROOT / "schemas" / "values.schema.json"


@pytest.mark.parametrize("command", ["new reader --image reader:1", "import cortex.yaml"])
def test_nothing_that_is_written_holds_an_absolute_path_of_the_machine(
    call: Command, folder: Path, command: str
) -> None:
    entry = "- {name: reader, kind: AsyncAPI, pod: {containers: [{name: a, image: 'b:1'}]}}\n"
    (folder / "cortex.yaml").write_text(entry)
    assert call(*command.split()).code == 0
    text = (folder / "reader.yaml").read_text()
    for place in (ROOT, folder, Path.home(), Path(sys.prefix)):
        assert f"={place}/" not in text
        assert f" {place}/" not in text


def test_a_schema_in_a_folder_with_blanks_is_left_out(call: Command, folder: Path) -> None:
    shutil.copytree(CHART, folder / "my charts/cortex-async")
    call("new", "reader", "--image", "reader:1", "--chart", folder / "my charts/cortex-async")
    assert "$schema" not in (folder / "reader.yaml").read_text()


def test_what_is_not_known_yet_is_told(call: Command) -> None:
    said = call("new", "reader", "--image", "reader")
    assert "aws.region (us-west-2) and aws.bucket (my-cortex-bucket) are placeholders" in said.err
    assert "the image reader has no fixed tag" in said.err


def test_stdout_takes_the_file_and_nothing_else(call: Command, folder: Path) -> None:
    said = call("new", "reader", "--image", "reader:1", "--output", "-")
    assert yaml.safe_load(said.out)["name"] == "reader"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Reader", [], "NAME: expected lower-case letters"),
        ("two\nlines", [], "NAME: expected lower-case letters"),
        ("reader", ["--port", "8888"], "--port: expected anything but 8888"),
        ("reader", ["--image", "two words"], "--image: expected an image such as text-generator:1.0.0"),
        ("reader", ["--image", "1\n  - {}"], "--image: expected an image such as text-generator:1.0.0"),
        ("reader", ["--max-concurrency", "0"], "--max-concurrency: expected"),
        ("reader", ["--mem", "much"], "--mem: expected"),
        ("reader", ["--mem", "1Mi"], "pod.containers[0].compute.mem: 1Mi is less than 20Mi"),
        ("reader", ["--gpu", "-1"], "--gpu: expected"),
        ("reader", ["--bucket", "A"], "--bucket: expected"),
    ],
)
def test_wrong_options_are_told_and_nothing_is_written(
    call: Command, folder: Path, name: str, options: list[str], message: str
) -> None:
    said = call("new", name, "--image", "reader:1", *options)
    assert said.code == 1
    assert message in said.err
    assert list(folder.iterdir()) == []


def test_a_file_is_overwritten_only_by_force(call: Command, folder: Path) -> None:
    (folder / "reader.yaml").write_text("mine")
    said = call("new", "reader", "--image", "reader:1")
    assert (said.code, (folder / "reader.yaml").read_text()) == (1, "mine")
    assert "reader.yaml; overwrite with --force" in said.err
    assert call("new", "reader", "--image", "reader:1", "--force").code == 0
    assert (folder / "reader.yaml").read_text() != "mine"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("apis", "expected a file to write, got the folder apis; name the file in it"),
        ("other/", "--output: expected a file, got the folder other/; name the file in it"),
        ("taken/reader.yaml", "cannot make the folder taken: "),
    ],
)
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_what_is_no_place_for_a_file_is_told(
    call: Command, folder: Path, output: str, message: str, force: list[str]
) -> None:
    (folder / "apis").mkdir()
    (folder / "taken").write_text("mine")
    said = call("new", "reader", "--image", "reader:1", "--output", output, *force)
    assert (said.code, said.out) == (1, "")
    assert message in said.err
    assert sorted(each.name for each in folder.rglob("*")) == ["apis", "taken"]


@pytest.mark.parametrize("output", ["two\nlines.yaml", "latin-\udce9.yaml"])
def test_any_name_of_a_file_gives_a_values_file(call: Command, folder: Path, output: str) -> None:
    said = call("new", "reader", "--image", "reader:1", "--output", output)
    assert said.code == 0, said.err
    assert yaml.safe_load((folder / output).read_text())["name"] == "reader"
