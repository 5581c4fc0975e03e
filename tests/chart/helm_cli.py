"""The real helm, and what it renders as Python objects."""

import json
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cortex_async_tools.chart import helm
from cortex_async_tools.chart.helm_yaml import ManifestLoader

ROOT = pathlib.Path(__file__).parents[2]
CHART = ROOT / "charts" / "cortex-async"
Object = dict[str, Any]
Values = Mapping[str, Any] | pathlib.Path


class _UniqueKeys(ManifestLoader):
    """Refuses a mapping that has the same key twice. YAML forbids it, but PyYAML lets it pass."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is there twice: {sorted(map(str, keys))}"
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


class Refused(Exception):
    """Helm did not take the values; the text is what it said."""


@dataclass(frozen=True)
class Helm:
    """One version of helm."""

    program: pathlib.Path

    @classmethod
    def of_version(cls, version: str) -> "Helm":
        return cls(helm.locate(version))

    # below all values is that of a platform: where the glue's image is

    def template(
        self, values: Values, *, release: str = "hello", namespace: str = "default", options: Sequence[str] = ()
    ) -> list[Object]:
        """Render the chart; raises Refused."""
        text = self.manifest(values, release=release, namespace=namespace, options=options)
        return [each for each in yaml.load_all(text, _UniqueKeys) if each]

    def manifest(
        self, values: Values, *, release: str = "hello", namespace: str = "default", options: Sequence[str] = ()
    ) -> str:
        """Render the chart as the text that helm prints; raises Refused."""
        return self._run(["template", release, str(CHART), "--namespace", namespace, *options], values)

    def lint(self, values: Values) -> str:
        """Lint the chart with the values, strictly; raises Refused."""
        return self._run(["lint", "--strict", str(CHART)], values)

    def notes(self, values: Values, release: str = "hello") -> str:
        """What a user reads after an installation; no cluster is asked."""
        arguments = ["install", release, str(CHART), "--dry-run=client", "--output", "json"]
        answer = json.loads(self._run(arguments, values))
        return str(answer["info"]["notes"])

    def _run(self, arguments: Sequence[str], values: Values) -> str:
        with tempfile.TemporaryDirectory() as folder:
            platform = pathlib.Path(folder, "platform.yaml")
            platform.write_text(json.dumps({"image": {"repository": "cortex-async"}}))
            path = values if isinstance(values, pathlib.Path) else pathlib.Path(folder, "values.yaml")
            if path is not values:
                path.write_text(json.dumps(values))
            done = subprocess.run(
                [self.program, *arguments, "--values", platform, "--values", path],
                capture_output=True,
                text=True,
                check=False,
                # helm is done before its memory is worth collecting, which would take a third of its time
                env={"HOME": folder, "KUBECONFIG": str(pathlib.Path(folder, "none")), "GOGC": "off"},
            )
        if done.returncode != 0:
            raise Refused(f"{done.stdout}\n{done.stderr}")
        return done.stdout


def minimal(**more: Any) -> dict[str, Any]:
    """The least that a release needs, and what is given."""
    values: dict[str, Any] = {
        "pod": {"containers": [{"name": "api", "image": "api:1"}]},
        "aws": {"region": "eu-west-1", "bucket": "results"},
    }
    return merged(values, more)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid over it, objects merged as helm does it."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        result[key] = merged(inner, value) if both and isinstance(inner, dict) else value
    return result


def at(path: str, value: Any) -> dict[str, Any]:
    """The values that set one key: `at("a.b", 1)` is `{"a": {"b": 1}}`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def one_container(**fields: Any) -> dict[str, Any]:
    """Values with one container that has these fields beside its name and image."""
    return minimal(pod={"containers": [{"name": "api", "image": "api:1", **fields}]})
