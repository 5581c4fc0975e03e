"""import writes a values file for each AsyncAPI and a note for each other kind, or nothing when one is wrong."""

from pathlib import Path

import pytest
import yaml

from authoring.conftest import Command, rendered_as_advised
from chart.helm_cli import ROOT

CORTEX = """\
# Our APIs.

- name: iris
  kind: RealtimeAPI
  handler: {type: python}
- name: text-generator
  kind: AsyncAPI
  pod:
    port: 8080
# the model wants a GPU
    containers:
      - name: api
        image: cortexlabs/async-text-generator:latest
        env: {SCALE: "1e3", VERBOSE: "yes"}
        compute: {cpu: 1, gpu: 1, mem: 512Mi}

# many at once
- kind: BatchAPI
  name: images
- name: train
  kind: TaskAPI
- name: split
  kind: TrafficSplitter
- kind: AsyncAPI
  name: second
  pod:
    containers: [{name: api, image: "second:1"}]
"""
PLACE = {"aws": {"region": "us-west-2", "bucket": "my-cortex-bucket"}, "securityContext": {"level": "baseline"}}


@pytest.fixture
def cortex(folder: Path) -> Path:
    (folder / "cortex.yaml").write_text(CORTEX)
    return folder


def entries(text: str = CORTEX) -> dict[str, object]:
    return {each["name"]: each for each in yaml.safe_load(text)}


def test_each_entry_is_kept_as_it_stands(call: Command, cortex: Path) -> None:
    said = call("import", "cortex.yaml", "--output-dir", "values")
    assert said.code == 0
    assert said.out == "values/text-generator.yaml is written\nvalues/second.yaml is written\n"
    for name in ("text-generator", "second"):
        text = (cortex / f"values/{name}.yaml").read_text()
        assert yaml.safe_load(text) == {**entries()[name], **PLACE}  # type: ignore[dict-item]
    text = (cortex / "values/text-generator.yaml").read_text()
    assert "# the model wants a GPU" in text
    assert "many at once" not in text


def test_lint_finds_no_error_in_what_is_written(call: Command, cortex: Path) -> None:
    call("import", "cortex.yaml", "--output-dir", "values")
    assert call("lint", "values/text-generator.yaml", "values/second.yaml").code == 0


def test_install_command_in_the_file_works_as_it_stands(call: Command, cortex: Path) -> None:
    said = call("import", "cortex.yaml", "--output-dir", "my apis")
    assert "'my apis/second.yaml' is written" in said.out
    rendered = rendered_as_advised(cortex / "my apis/second.yaml").replace('"', "")
    assert "name: api-second" in rendered
    assert "image: registry.example/cortex-async:" in rendered


def test_node_groups_are_matched_as_the_note_says(call: Command, folder: Path) -> None:
    entry = "- {name: reader, kind: AsyncAPI, node_groups: [cpu], pod: {containers: [{name: a, image: 'b:1'}]}}\n"
    own = entry.replace("name: reader,", "name: own, nodeGroupLabel: {key: team/group}, tolerations: [],")
    (folder / "cortex.yaml").write_text(CORTEX + entry + own)
    (note,) = [line for line in call("import", "cortex.yaml").err.splitlines() if "node_groups" in line]
    assert note.startswith("note: reader has node_groups, ")
    assert "cx-ws-" in note  # the prefix of spot node groups
    with (folder / "reader.yaml").open("a") as file:
        file.write("\n" + "\n".join(f"{each}" for each in note.split("`")[1::2]))
    assert call("lint", "reader.yaml").code == 0
    objects = yaml.safe_load_all(rendered_as_advised(folder / "reader.yaml"))
    (pod,) = [
        each["spec"]["template"]["spec"]
        for each in objects
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "api-reader")
    ]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [
        {"key": "alpha.eksctl.io/nodegroup-name", "operator": "In", "values": ["cx-wd-cpu"]}
    ]
    assert {"key": "workload", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]


def test_region_and_bucket_are_options(call: Command, cortex: Path) -> None:
    said = call("import", "cortex.yaml", "--region", "eu-west-1", "--bucket", "results")
    assert yaml.safe_load((cortex / "second.yaml").read_text())["aws"] == {
        "region": "eu-west-1",
        "bucket": "results",
    }
    assert "placeholder" not in said.err


def test_a_wrong_bucket_is_blamed_on_the_option_not_on_the_file(call: Command, cortex: Path) -> None:
    said = call("import", "cortex.yaml", "--bucket", "s3://results")
    assert said.code == 1
    assert "--bucket: expected the name of a bucket" in said.err
    assert "cortex.yaml:" not in said.err
    assert not (cortex / "second.yaml").exists()


def test_each_kind_that_cannot_be_taken_is_named_with_what_there_is_for_it(call: Command, cortex: Path) -> None:
    notes = call("import", "cortex.yaml").err.splitlines()
    for (line, name, kind), advice in {
        (3, "iris", "RealtimeAPI"): "change its kind to AsyncAPI",
        (18, "images", "BatchAPI"): "submit each to an AsyncAPI",
        (20, "train", "TaskAPI"): "a Kubernetes Job",
        (22, "split", "TrafficSplitter"): "HTTPRoute with weights",
    }.items():
        (note,) = [each for each in notes if each.startswith(f"note: cortex.yaml:{line}: {name} is a {kind}, ")]
        assert advice in note


def test_entry_that_leans_on_another_is_written_out(call: Command, folder: Path) -> None:
    text = (
        "- name: one\n  kind: AsyncAPI\n"
        "  pod: &pod {containers: [{name: api, image: 'x:1', env: {A: 'off', B: '1e3'}}]}\n"
        "- name: two\n  kind: AsyncAPI\n  pod: *pod\n"
    )
    (folder / "cortex.yaml").write_text(text)
    assert call("import", "cortex.yaml").code == 0
    assert yaml.safe_load((folder / "two.yaml").read_text()) == {**entries(text)["two"], **PLACE}  # type: ignore[dict-item]
    assert "B: '1e3'" in (folder / "two.yaml").read_text()  # in quotes, because helm reads 1e3 as a number
    assert call("lint", "two.yaml").code == 0


@pytest.mark.parametrize("name", ["hello-world", "text-generator", "every-field"])
def test_published_examples_come_back(call: Command, folder: Path, name: str) -> None:
    example = (ROOT / "values" / f"cortex-{name}.yaml").read_text()
    values = yaml.safe_load(example)
    entry = {key: value for key, value in values.items() if key.islower() and key != "aws"}
    (folder / "cortex.yaml").write_text(yaml.safe_dump([entry], sort_keys=False))
    assert call("import", "cortex.yaml").code == 0
    assert yaml.safe_load((folder / f"{values['name']}.yaml").read_text()) == {**entry, **PLACE}


BAD = [
    ("- name: [", ["cortex.yaml:1:10: not valid YAML"]),
    ("name: hello\nkind: AsyncAPI\n", ["expected a list of APIs", "is a values file as it stands"]),
    ("- 7\n", ["cortex.yaml:1:3: expected the fields of an API, got 7"]),
    (
        "- {name: a, kind: RealtimAPI}\n",
        ["cortex.yaml:1:13: kind: expected one of", "did you mean `RealtimeAPI`?"],
    ),
    ("- name: a\n", ["kind: expected one of", "got null"]),
    ("- {name: a, kind: [AsyncAPI]}\n", ["cortex.yaml:1:13: kind: expected one of", 'got ["AsyncAPI"]']),
    ("- kind: AsyncAPI\n", ["name: required", "pod.containers"]),
    (
        f"{CORTEX}\n- {{name: a, kind: AsyncAPI, pod: {{prt: 1}}}}\n",
        ["pod.prt: unknown field; did you mean `port`?"],
    ),
    (
        f"{CORTEX}\n{CORTEX[CORTEX.index('- kind: AsyncAPI') :]}",
        ["second is the name of the entry in line 24, too"],
    ),
    (f"{CORTEX.replace('512Mi', '1Mi')}", ["helm refuses cortex.yaml:6", "compute.mem: 1Mi is less than 20Mi"]),
    (
        "- {name: ../up, kind: AsyncAPI, pod: {containers: [{name: a, image: b}]}}\n",
        ["cortex.yaml:1:4: name: expected"],
    ),
    ("- {name: a, kind: TaskAPI}\n", ["no entry of kind AsyncAPI"]),
]


@pytest.mark.parametrize(("text", "messages"), BAD)
def test_bad_input_is_told_and_nothing_is_written(
    call: Command, folder: Path, text: str, messages: list[str]
) -> None:
    (folder / "cortex.yaml").write_text(text)
    said = call("import", "cortex.yaml", "--output-dir", "out")
    assert said.code == 1
    for message in messages:
        assert message in said.err
    assert [each.name for each in folder.iterdir()] == ["cortex.yaml"]


OLD = """\
- name: iris
  kind: AsyncAPI
  predictor: {type: python, path: predictor.py}
  compute: {cpu: 1}
- name: labels
  kind: AsyncAPI
  autoscaling: {max_replica_concurrency: 10}
  handler: {type: python, path: handler.py}
- name: later
  kind: AsyncAPI
  pod: {containers: [{name: api, image: "later:1"}]}
  autoscaling: {max_replica_concurrency: 10}
"""


def test_each_entry_of_old_is_refused_by_what_took_its_place(call: Command, folder: Path) -> None:
    (folder / "cortex.yaml").write_text(OLD)
    said = call("import", "cortex.yaml")
    findings = [line.strip().partition(": ") for line in said.err.splitlines() if "cortex.yaml:" in line]
    assert [place for place, _, _ in findings] == ["cortex.yaml:3:3", "cortex.yaml:8:3", "cortex.yaml:12:17"]
    assert all("before Cortex 0.36" in message for _, _, message in findings)
    messages = [message for _, _, message in findings]
    assert messages[0].startswith("predictor: ")
    assert messages[1].startswith("handler: ")
    assert all("pod.containers took its place" in message for message in messages[:2])
    assert "pod.max_concurrency took its place" in messages[2]
    assert said.code == 1
    assert [each.name for each in folder.iterdir()] == ["cortex.yaml"]


def test_line_that_only_unicode_ends_is_part_of_its_line(call: Command, folder: Path) -> None:
    (folder / "cortex.yaml").write_text(CORTEX.replace("{type: python}", "{type: 'one\u2028two\x85'}"))
    assert call("import", "cortex.yaml").code == 0
    assert "# the model wants a GPU" in (folder / "text-generator.yaml").read_text()


def test_one_file_that_is_there_keeps_all_from_being_written(call: Command, cortex: Path) -> None:
    (cortex / "second.yaml").write_text("mine")
    said = call("import", "cortex.yaml")
    assert said.code == 1
    assert "second.yaml; overwrite with --force" in said.err
    assert (cortex / "second.yaml").read_text() == "mine"
    assert not (cortex / "text-generator.yaml").exists()
    assert call("import", "cortex.yaml", "--force").code == 0
    assert yaml.safe_load((cortex / "second.yaml").read_text())["name"] == "second"


def test_the_source_is_never_overwritten(call: Command, folder: Path) -> None:
    text = "- {name: cortex, kind: AsyncAPI, pod: {containers: [{name: a, image: b}]}}\n"
    (folder / "cortex.yaml").write_text(text)
    said = call("import", "cortex.yaml", "--force")
    assert (said.code, (folder / "cortex.yaml").read_text()) == (1, text)
    assert "--output-dir" in said.err


def test_an_output_folder_that_is_a_file_is_told(call: Command, cortex: Path) -> None:
    said = call("import", "cortex.yaml", "--output-dir", "cortex.yaml", "--force")
    assert (said.code, said.out) == (1, "")
    assert "cannot make the folder cortex.yaml: " in said.err
    assert (cortex / "cortex.yaml").read_text() == CORTEX


@pytest.mark.parametrize("name", ["two\nlines.yaml", "latin-\udce9.yaml"])
def test_any_name_of_the_source_will_do(call: Command, folder: Path, name: str) -> None:
    (folder / name).write_text("- {name: a, kind: AsyncAPI, pod: {containers: [{name: a, image: b}]}}\n")
    said = call("import", name)
    assert said.code == 0, said.err
    assert yaml.safe_load((folder / "a.yaml").read_text())["name"] == "a"


def _losses(said: str, name: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith(f"note: {name} loses ")]


def test_what_each_api_loses_is_told_with_what_there_is_instead(call: Command, cortex: Path) -> None:
    said = call("import", "cortex.yaml")
    for name in ("text-generator", "second"):
        outside, chaining, scaler = _losses(said.err, name)
        assert f"<load balancer>/{name}" in outside
        assert "--http-route" in outside
        assert f"http://api-{name}-gateway.<namespace>/{name}" in chaining
        assert "KEDA" in scaler


WAYS = {
    "--istio": ("team/public", {"istio": {"enabled": True, "gateways": ["team/public"]}}, "VirtualService"),
    "--http-route": (
        "gateways/public",
        {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public", "namespace": "gateways"}]}},
        "HTTPRoute",
    ),
    "--ingress": ("api.example.com", {"ingress": {"enabled": True, "hosts": ["api.example.com"]}}, "Ingress"),
}


@pytest.mark.parametrize("option", WAYS)
@pytest.mark.parametrize("own", ["", ", networking: {endpoint: texts}"])
def test_an_option_brings_the_way_in_from_outside(call: Command, folder: Path, option: str, own: str) -> None:
    entry = f"- {{name: reader, kind: AsyncAPI, pod: {{containers: [{{name: a, image: 'b:1'}}]}}{own}}}\n"
    (folder / "cortex.yaml").write_text(entry)
    word, way, kind = WAYS[option]
    said = call("import", "cortex.yaml", option, word)
    assert said.code == 0, said.err
    written = yaml.safe_load((folder / "reader.yaml").read_text())
    assert written["networking"] == {**({"endpoint": "texts"} if own else {}), **way}
    assert not [each for each in _losses(said.err, "reader") if "outside" in each]
    assert f"kind: {kind}" in rendered_as_advised(folder / "reader.yaml")
    assert call("lint", "reader.yaml").code == 0
