"""diff shows what an edit changes in the rendered objects, and which pods restart."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authoring.cluster import installed
from authoring.conftest import Command
from chart.helm_cli import CHART

VALUES = """\
name: hello
pod:
  max_concurrency: 1
  containers:
  - name: api
    image: api:1
    compute: {cpu: 200m, mem: 64Mi}
aws: {region: eu-west-1, bucket: results}
"""
Edit = Callable[[str, str], None]


def git(*words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)


@pytest.fixture
def committed(folder: Path) -> Path:
    (folder / "values.yaml").write_text(VALUES)
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    return folder


@pytest.fixture
def edit(folder: Path) -> Edit:
    def edit(before: str, after: str) -> None:
        text = (folder / "values.yaml").read_text()
        assert before in text
        (folder / "values.yaml").write_text(text.replace(before, after))

    return edit


def test_nothing_differs_from_what_is_committed(call: Command, committed: Path) -> None:
    said = call("diff", "values.yaml")
    assert (said.code, said.out) == (0, "Nothing that is rendered differs from HEAD.\n")


def test_repository_is_the_files_also_in_a_git_hook(
    call: Command, committed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(committed / "elsewhere"))
    said = call("diff", "values.yaml")
    assert (said.code, said.out) == (0, "Nothing that is rendered differs from HEAD.\n")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("cpu: 200m", "cpu: 300m", "The API's pods restart."),
        ("max_concurrency: 1", "max_concurrency: 2", "The API's pods and the gateway's pods restart."),
        ("name: hello", "name: hello\nlogLevel: debug", "The API's pods and the gateway's pods restart."),
        ("name: hello", "name: hello\ngateway: {podLabels: {a: b}}", "The gateway's pods restart."),
        ("name: hello", "name: hello\nautoscaling: {init_replicas: 3}", "No running pod restarts."),
        ("name: hello", "# hello\nname: hello", "Nothing that is rendered differs from HEAD."),
    ],
)
def test_says_whose_pods_restart(
    call: Command, committed: Path, edit: Edit, before: str, after: str, sentence: str
) -> None:
    edit(before, after)
    assert call("diff", "values.yaml").out.splitlines()[-1] == sentence


def test_shows_each_changed_object_as_a_unified_diff(call: Command, committed: Path, edit: Edit) -> None:
    edit("cpu: 200m", "cpu: 300m")
    lines = call("diff", "values.yaml").out.splitlines()
    assert lines[:2] == ["--- Deployment api-hello (HEAD)", "+++ Deployment api-hello (values.yaml)"]
    assert [line.split() for line in lines if line[0] in "+-"][2:] == [
        ["-", "cpu:", "200m"],
        ["+", "cpu:", "300m"],
    ]
    assert "changed: Deployment api-hello" in lines


def test_names_what_is_added_and_removed(call: Command, committed: Path, edit: Edit) -> None:
    edit("name: hello", "name: hello\nnetworking: {ingress: {enabled: true}}\nprovision: {enabled: false}")
    lines = call("diff", "values.yaml").out.splitlines()
    assert "added: Ingress api-hello" in lines
    removed = "removed: ConfigMap api-hello-provision, Job api-hello-provision, ServiceAccount api-hello-provision"
    assert removed in lines
    assert "--- /dev/null" in lines
    assert "+++ /dev/null" in lines
    assert lines[-1] == "No running pod restarts."


QUEUE = (
    "The queue is cortex-world in eu-west-1 instead of cortex-hello in eu-west-1: "
    "requests and dead letters of the old one stay there."
)
STORAGE = (
    "Payloads and results are under s3://results/cortex/world instead of s3://results/cortex/hello: "
    "those under the old one stay there."
)


def test_another_name_replaces_the_pods_and_leaves_the_data_behind(
    call: Command, committed: Path, edit: Edit
) -> None:
    edit("name: hello", "name: world")
    lines = call("diff", "values.yaml").out.splitlines()
    assert lines[-4:] == [
        QUEUE,
        STORAGE,
        "The API's pods are replaced.",
        "The gateway's pods are replaced.",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("bucket: results", "bucket: others", ["s3://others/cortex/hello instead of s3://results/cortex/hello"]),
        (
            "region: eu-west-1",
            "region: us-west-2",
            ["The queue is cortex-hello in us-west-2 instead of cortex-hello in eu-west-1"],
        ),
        (
            "name: hello",
            "name: hello\nqueue: {url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/mine'}",
            ["The queue is https://sqs.eu-west-1.amazonaws.com/123456789012/mine instead of cortex-hello in "],
        ),
        ("name: hello", "name: hello\nqueue: {maxAttempts: 5}", []),
    ],
)
def test_data_that_is_left_behind_is_told_and_no_other(
    call: Command, committed: Path, edit: Edit, before: str, after: str, said: list[str]
) -> None:
    edit(before, after)
    lines = [line for line in call("diff", "values.yaml").out.splitlines() if " stay there" in line]
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


def test_a_file_that_was_not_there_is_all_new(call: Command, committed: Path) -> None:
    (committed / "new.yaml").write_text(VALUES)
    said = call("diff", "new.yaml")
    assert said.code == 0
    assert said.out.splitlines()[-2:] == ["The API's pods are new.", "The gateway's pods are new."]
    assert "\nremoved:" not in said.out


def test_a_revision_that_is_not_utf_8_is_told(call: Command, committed: Path) -> None:
    text = (committed / "values.yaml").read_text()
    (committed / "values.yaml").write_bytes(f"name: hello\n# é\n{text}".encode("latin-1"))
    git("commit", "-am", "second")
    (committed / "values.yaml").write_text(text)
    said = call("diff", "values.yaml")
    assert (said.code, said.out) == (1, "")
    assert "values.yaml at HEAD: expected UTF-8 text, got the byte 0xe9" in said.err
    assert "Nothing" in call("diff", "values.yaml", "--against", "HEAD~1").out


def test_another_revision_is_named(call: Command, committed: Path, edit: Edit) -> None:
    edit("cpu: 200m", "cpu: 300m")
    git("commit", "-am", "second")
    assert "Nothing" in call("diff", "values.yaml").out
    assert "--- Deployment api-hello (HEAD~1)" in call("diff", "values.yaml", "--against", "HEAD~1").out


def test_a_file_elsewhere_is_found_in_its_own_repository(
    call: Command, committed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert "Nothing" in call("diff", committed / "values.yaml").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["values.yaml", "--against", "nowhere"], "git knows no revision nowhere"),
        (["values.yaml", "--against=--all"], "git knows no revision --all"),
        (["values.yaml", "--against", "release:hello"], "helm cannot read the release hello"),
        (["missing.yaml"], "no such file"),
    ],
)
def test_what_cannot_be_compared_is_told(
    call: Command, committed: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(committed / "none"))
    said = call("diff", *arguments)
    assert said.code == 1
    assert message in said.err


def test_outside_of_git_it_says_so(call: Command, folder: Path) -> None:
    (folder / "values.yaml").write_text(VALUES)
    assert "not a git repository" in call("diff", "values.yaml").err


def test_a_wrong_file_is_told_with_its_side(call: Command, committed: Path, edit: Edit) -> None:
    edit("max_concurrency", "max_concurency")
    assert "values.yaml:3:3: pod.max_concurency: unknown field" in call("diff", "values.yaml").err
    git("commit", "-am", "wrong")
    edit("max_concurency", "max_concurrency")
    said = call("diff", "values.yaml")
    assert said.code == 1
    assert "helm refuses values.yaml at HEAD: " in said.err


@pytest.fixture
def release(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (folder / "values.yaml").write_text(VALUES)
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
    with installed("hello-1", folder / "values.yaml", CHART, folder / "kubeconfig", "apis"):
        yield "release:hello-1"


def test_an_installed_release_is_compared_hooks_included(call: Command, edit: Edit, release: str) -> None:
    said = call("diff", "values.yaml", "--against", release, "-n", "apis")
    assert (said.code, said.out) == (0, "Nothing that is rendered differs from release:hello-1.\n"), said.err
    edit("cpu: 200m", "cpu: 300m")
    lines = call("diff", "values.yaml", "--against", release, "-n", "apis").out.splitlines()
    assert lines[0] == "--- Deployment api-hello (release:hello-1)"
    assert lines[-2:] == ["changed: Deployment api-hello", "The API's pods restart."]


def test_after_a_failed_upgrade_it_is_compared_with_what_is_deployed(
    call: Command, folder: Path, edit: Edit, release: str
) -> None:
    failed = folder / "failed.yaml"
    failed.write_text(VALUES.replace("cpu: 200m", "cpu: 300m"))
    with installed("hello-1", folder / "values.yaml", CHART, folder / "kubeconfig", "apis", failed):
        said = call("diff", "values.yaml", "--against", release, "-n", "apis")
    assert (said.code, said.out) == (0, "Nothing that is rendered differs from release:hello-1.\n"), said.err


def test_settings_of_the_release_are_given_again(call: Command, release: str) -> None:
    said = call("diff", "values.yaml", "--against", release, "-n", "apis", "--set", "logLevel=debug")
    assert said.out.splitlines()[-1] == "The API's pods and the gateway's pods restart."


def test_release_that_is_not_there_is_told(call: Command, release: str) -> None:
    said = call("diff", "values.yaml", "--against", "release:other", "-n", "apis")
    assert said.code == 1
    assert "helm cannot read the release other: release: not found" in said.err
