"""Which templates of a chart ask for the Kubernetes version, and whether that matters for what they rendered."""

import re
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from cortex_async_tools.chart.helm_yaml import load_manifest
from cortex_async_tools.lint import custom_resources

_DEFINE = re.compile(r'\{\{-?\s*define\s+"([^"]+)"')
_INCLUDED = re.compile(r'\b(?:include|template)\s+"([^"]+)"')
_COMPUTED = re.compile(r"\b(?:include|template)\s+[($]")
_LITERAL = re.compile(r'"([^"\n]+)"')


@dataclass(frozen=True)
class VersionUse:
    """The templates that use the version, themselves or by what they include: paths below the chart's folder."""

    templates: frozenset[str]
    conditional: frozenset[str]
    """Those of them that may render nothing for some version: they use it above their first `apiVersion`."""

    def is_for_all(self, manifest: str) -> bool:
        """Whether the manifest is as good as that of any other version.

        It is when these templates rendered custom resources only, of which one schema is known, or nothing.
        """
        _, *parts = re.split(r"^# Source: [^/\n]+/(.+)\n", manifest, flags=re.MULTILINE)
        found = [each for each in zip(parts[::2], parts[1::2], strict=True) if each[0] in self.templates]
        objects = [each for _, text in found for each in load_manifest(text)]
        is_custom = all((each["apiVersion"], each["kind"]) in custom_resources.SCHEMAS for each in objects)
        return is_custom and self.conditional <= {source for source, _ in found}


def find(chart: Path) -> VersionUse:
    """Read the templates of a chart."""
    files = {
        str(each.relative_to(chart)): each.read_text(encoding="utf-8")
        for each in chart.glob("templates/**/*")
        if each.is_file()
    }
    texts = dict(files)
    for text in files.values():
        _, *parts = _DEFINE.split(text)
        texts.update(zip(parts[::2], parts[1::2], strict=True))
    asking: set[str] = set()
    while more := {name for name, text in texts.items() if name not in asking and _asks(text, asking)}:
        asking |= more
    found = {name for name in asking & files.keys() if not Path(name).name.startswith("_")}
    conditional = {name for name in found if _asks(files[name].partition("apiVersion")[0], asking)}
    return VersionUse(frozenset(found), frozenset(conditional))


def _asks(text: str, asking: Set[str]) -> bool:
    """Whether a template uses the version, or includes one of those; of a computed name any literal may be."""
    if "KubeVersion" in text or not asking.isdisjoint(_INCLUDED.findall(text)):
        return True
    literals = _LITERAL.findall(text) if _COMPUTED.search(text) else []
    return any(
        name.startswith(each.partition("%")[0]) if "%" in each else name == each
        for each in literals
        for name in asking
    )
