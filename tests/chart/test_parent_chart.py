"""The chart below a parent: several APIs in one release."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm_cli import CHART, Helm, minimal

IMAGE: dict[str, Any] = {"image": {"repository": "cortex-async"}}


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    folder = tmp_path / "parent"
    (folder / "charts").mkdir(parents=True)
    (folder / "charts" / "cortex-async").symlink_to(CHART)
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    apis = [
        {"name": "cortex-async", "version": version, "alias": alias, "condition": f"{alias}.enabled"}
        for alias in ("first", "second")
    ]
    about = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": apis}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
    return folder


def _render(helm: Helm, parent: Path, values: dict[str, Any]) -> tuple[set[str], str]:
    """Names of the Deployments, and what helm says against the values."""
    (parent / "values.yaml").write_text(yaml.safe_dump(values))
    done = subprocess.run([helm.program, "template", "team", parent], capture_output=True, text=True, check=False)
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {each["metadata"]["name"] for each in objects if each["kind"] == "Deployment"}, done.stderr


def test_each_alias_is_an_api_that_a_condition_switches(helm: Helm, parent: Path) -> None:
    first, second = (minimal(name=name, enabled=True, **IMAGE) for name in ("reader", "writer"))
    both, said = _render(helm, parent, {"first": first, "second": second})
    assert both == {"api-reader", "api-reader-gateway", "api-writer", "api-writer-gateway"}, said
    one, said = _render(helm, parent, {"first": first, "second": second | {"enabled": False}})
    assert one == {"api-reader", "api-reader-gateway"}, said


def test_below_a_parent_an_api_needs_a_name(helm: Helm, parent: Path) -> None:
    names, said = _render(helm, parent, {"first": minimal(**IMAGE), "second": minimal(name="writer", **IMAGE)})
    assert not names
    assert "- name: required below a parent chart" in said
