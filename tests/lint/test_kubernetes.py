"""What an API server would refuse is a finding, for each version that was asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path

from chart.helm_cli import minimal
from cortex_async import helm
from cortex_async.lint.linter import Linter
from cortex_async.values import find_chart


def test_a_rendered_field_that_kubernetes_does_not_know_is_found(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(find_chart(), chart)
    template = chart / "templates" / "api" / "_user-container.tpl"
    template.write_text(template.read_text().replace("readOnlyRootFilesystem:", "readOnlyFiles:"))

    found = Linter(chart, helm.locate(), ["1.29", "1.37"]).lint([write(minimal())])

    errors = [each.text for each in found if each.code == "kubernetes"]
    assert len(errors) == 2
    assert all("readOnlyFiles" in each for each in errors)
    assert ["1.29" in errors[0], "1.37" in errors[1]] == [True, True]
