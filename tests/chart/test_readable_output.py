"""What helm prints can be read by people: in a review, in `helm diff`, in `kubectl get configmap -o yaml`."""

import json
import pathlib
import re

import pytest

from chart.helm_cli import ROOT, Helm, Values, minimal
from chart.objects import find

EXAMPLES = {
    str(path.relative_to(ROOT / "values")): path
    for path in sorted([*ROOT.glob("values/*.yaml"), *ROOT.glob("values/*/values.yaml")])
}
CASES: dict[str, pathlib.Path | Values] = {
    **EXAMPLES,
    "the least": minimal(),
    "an emulator": minimal(emulator={"enabled": True, "image": "emulator:1"}),
    "nothing optional": minimal(
        podLabels=None,
        networkPolicy={"enabled": False},
        gateway={"autoscaling": {"enabled": False}, "resources": {"requests": None}},
        provision={"enabled": False},
    ),
}


def _documents(manifest: str) -> list[str]:
    """The text of each object. Helm 4 prints an empty line after each, which is not the chart's."""
    return [each.rstrip("\n") for each in re.split(r"^---\n", manifest, flags=re.MULTILINE) if each.strip()]


@pytest.mark.parametrize("case", CASES)
def test_no_dash_stands_alone_on_its_line(helm: Helm, case: str) -> None:
    for document in _documents(helm.manifest(CASES[case])):
        alone = [number for number, line in enumerate(document.split("\n"), 1) if line.strip() == "-"]
        assert not alone, f"lines {alone} of\n{document}"


@pytest.mark.parametrize("case", CASES)
def test_no_line_is_blank(helm: Helm, case: str) -> None:
    documents = _documents(helm.manifest(CASES[case]))
    assert documents
    for document in documents:
        blank = [number for number, line in enumerate(document.split("\n"), 1) if not line.strip()]
        assert not blank, f"lines {blank} of\n{document}"


@pytest.mark.parametrize("name", ["api-hello", "api-hello-provision"])
def test_api_json_is_a_block_of_indented_json(helm: Helm, name: str) -> None:
    text = find(helm.template(minimal()), "ConfigMap", name)["data"]["api.json"]
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True)
    block = "  api.json: |-\n" + "".join(f"    {line}\n" for line in text.split("\n"))
    config_maps = [each for each in _documents(helm.manifest(minimal())) if f"\n  name: {name}\n" in each]
    assert [each for each in config_maps if block in each + "\n"]
