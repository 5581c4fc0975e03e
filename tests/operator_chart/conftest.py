"""The operator's chart, rendered by the real helm."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import yaml

from chart.conftest import VERSIONS
from chart.helm_cli import ROOT, Helm, Object

CHART = ROOT / "charts" / "cortex-operator"
Render = Callable[..., Sequence[Object]]


@pytest.fixture(scope="session", params=VERSIONS, ids="helm-{}".format)
def render(request: pytest.FixtureRequest) -> Render:
    """Render with some values, as release `operator` in namespace `default`; raises Refused."""
    return _render(Helm.of_version(request.param))


@pytest.fixture(scope="session")
def render4() -> Render:
    """The same by Helm 4 alone, for what cannot differ between versions."""
    return _render(Helm.of_version(VERSIONS[0]))


def _render(helm: Helm) -> Render:
    def rendered(**values: Any) -> Sequence[Object]:
        text = helm._run(["template", "operator", str(CHART), "--namespace", "default"], values)
        return [each for each in yaml.safe_load_all(text) if each]

    return rendered
