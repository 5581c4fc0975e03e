"""lint finds what an API server would refuse, for each requested version."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chart.helm_cli import minimal
from cortex_async_tools.chart import helm
from cortex_async_tools.chart.values_file import find_chart
from cortex_async_tools.lint.linter import Linter

ROUTE = {"networking": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}}
VIRTUAL_SERVICE = {"networking": {"istio": {"enabled": True}}}


def test_a_rendered_field_that_kubernetes_does_not_know_is_found(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(find_chart(), chart)
    template = chart / "templates" / "api" / "_containers.tpl"
    template.write_text(template.read_text().replace("readOnlyRootFilesystem:", "readOnlyFiles:"))

    found = Linter(chart, helm.locate(), ["1.29", "1.37"]).lint([write(minimal())])

    errors = [each.text for each in found if each.code == "kubernetes"]
    assert len(errors) == 2
    assert all("readOnlyFiles" in each for each in errors)
    assert ["1.29" in errors[0], "1.37" in errors[1]] == [True, True]


@pytest.mark.parametrize(
    "used",
    [
        '{{ semverCompare "<1.30-0" .Capabilities.KubeVersion.Version | ternary "wrong" "data" }}: {}',
        '{{ include "own.field" . }}: {}',
        '{{ include (printf "own.%s" "field") . }}: {}',
        '---\n{{- if semverCompare "<1.30-0" .Capabilities.KubeVersion.Version }}\n'
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: another}\nwrong: {}\n{{- end }}",
    ],
)
def test_what_is_rendered_for_one_version_only_is_found(
    tmp_path: Path, write: Callable[..., Path], used: str
) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(find_chart(), chart)
    own = '{{- define "own.field" -}}\n{{- if semverCompare "<1.30-0" .Capabilities.KubeVersion.Version }}wrong'
    (chart / "templates" / "_own.tpl").write_text(own + "{{ else }}data{{ end }}\n{{- end }}\n")
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"
    (chart / "templates" / "own.yaml").write_text(f"{config_map}{used}\n")

    found = Linter(chart, helm.locate(), ["1.29", "1.37"]).lint([write(minimal())])

    (error,) = [each.text for each in found if each.code == "kubernetes"]
    assert "wrong" in error
    assert "1.29" in error


@pytest.mark.parametrize(
    ("template", "old", "new", "values", "field"),
    [
        ("httproute.yaml", "backendRefs:", "backends:", ROUTE, "HTTPRoute api-demo, spec.rules.0"),
        ("httproute.yaml", "type: PathPrefix", "type: Prefix", ROUTE, "spec.rules.0.matches.0.path.type"),
        ("virtualservice.yaml", "exact:", "equals:", VIRTUAL_SERVICE, "spec.http.0.match.0.uri"),
        ("virtualservice.yaml", "http:\n", "https:\n", VIRTUAL_SERVICE, "VirtualService api-demo, spec"),
    ],
)
def test_a_custom_resource_is_held_against_its_model(
    tmp_path: Path, write: Callable[..., Path], template: str, old: str, new: str, values: Any, field: str
) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(find_chart(), chart)
    file = chart / "templates" / "networking" / template
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))

    found = Linter(chart, helm.locate(), ["1.29", "1.37"]).lint([write(minimal(name="demo", **values))])

    errors = [each for each in found if each.severity == "error"]
    assert {each.code for each in errors} == {"kubernetes"}
    assert any(field in each.field for each in errors), [each.field for each in errors]
