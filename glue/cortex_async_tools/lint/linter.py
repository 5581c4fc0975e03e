"""Lint files: each one by YAML, schema, helm, Kubernetes and warnings; then all of them for conflicts.

Files are linted in parallel, because most of the time is spent in helm. Work that would give the same result again
is skipped: `helm lint` runs once for each set of rendered kinds, since what it adds to rendering depends only on
the chart and the kinds; and a file is rendered once for all versions of Kubernetes, unless a template that uses
the version has a part in objects whose schema depends on it.
"""

import functools
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cortex_async_tools.chart.helm_yaml import load_manifest
from cortex_async_tools.chart.rendering import ASSUMED, HelmRefused, as_arguments, release_name, run_helm
from cortex_async_tools.chart.values_file import (
    Chart,
    Finding,
    Overlay,
    finding_at,
    laid_over,
    merge,
    unreadable_findings,
)
from cortex_async_tools.chart.values_file.document import (
    Document,
    DocumentError,
    FieldPath,
    decode,
    parse_document,
)
from cortex_async_tools.chart.values_file.secrets import names_secret, secrets
from cortex_async_tools.lint import kubernetes, version_use
from cortex_async_tools.lint.checks import CHECKS, CROSS_FILE
from cortex_async_tools.lint.checks.cross_file import Claim
from cortex_async_tools.lint.diagnostic import Diagnostic, diagnostic_at
from cortex_async_tools.lint.suppression import UNUSED, Suppressions, find_suppressions


@dataclass
class _File:
    """A file and what is known of it so far; `values` is None until schema and helm have accepted them.

    `secret_lines` are the numbers of lines that must not be shown.
    """

    path: Path
    text: str = ""
    document: Document = field(default_factory=lambda: Document({}, {}))
    suppressions: Suppressions = field(default_factory=lambda: Suppressions([], []))
    secret_lines: Set[int] = frozenset()
    values: Mapping[str, Any] | None = None
    found: list[Diagnostic] = field(default_factory=list)
    over: Sequence["_File"] = ()

    def owner(self, path: FieldPath) -> "_File":
        """Return the topmost of the file and those laid over it that has the field."""
        return next((each for each in reversed(self.over) if path and path in each.document.positions), self)

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.removesuffix("\n").split("\n")

    def add(self, code: str, finding: Finding) -> None:
        each = diagnostic_at(
            self.path, self.lines, finding.line, finding.column, code, finding.path, finding.message
        )
        hidden = each.line in self.secret_lines
        self.found.append(replace(each, excerpt=None, length=1) if hidden else each)


def _read(path: Path, content: bytes) -> _File:
    """Read a file; what is no YAML is among its findings."""
    file = _File(path)
    try:
        file.text = decode(content)
        file.document = parse_document(file.text)
    except DocumentError as error:
        file.secret_lines = {number for number, line in enumerate(file.lines, 1) if names_secret(line)}
        for finding in unreadable_findings(error):
            file.add("yaml", finding)
        return file
    file.suppressions = find_suppressions(file.lines, {UNUSED, *CHECKS, *CROSS_FILE})
    file.secret_lines = {file.document.position(path).line for path, _ in secrets(file.document.values)}
    return file


class Linter:
    """Lints values files against one chart, with one helm, for some Kubernetes versions."""

    def __init__(self, chart: Path, helm: Path, versions: Sequence[str], overlays: Sequence[Path] = ()) -> None:
        self._chart = Chart(chart)
        self._overlays = [_read(each, each.read_bytes()) for each in overlays]
        self._helm = helm
        self._versions = versions
        self._version_use = version_use.find(self._chart.folder)
        self._linted: set[frozenset[tuple[str, str]]] = set()
        self._lock = threading.Lock()

    def lint(self, paths: Sequence[Path]) -> list[Diagnostic]:
        """Return the findings, in the order of the files and lines; raises OSError for an unreadable file."""
        if unreadable := [one for each in self._overlays for one in each.found]:
            return unreadable
        contents = [each.read_bytes() for each in paths]  # read once: a pipe cannot be read again
        with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 2) as pool:
            files = list(pool.map(self._lint_file, paths, contents))
        _check_across_files([each for each in files if each.values is not None])
        files += self._overlays
        for each in files:
            each.found += _suppression_warnings(each)
        found = [one for each in files for one in sorted(each.found, key=lambda found: found.order)]
        return list(dict.fromkeys(found))  # what is wrong in an overlay is found beside each file

    def _lint_file(self, path: Path, content: bytes) -> _File:
        file = _read(path, content)
        if file.found:
            return file
        file.over = self._overlays
        over = [Overlay(each.path, each.document) for each in self._overlays]
        refused = self._chart.check(file.document, over=over)
        for finding in refused:
            self._owner(file, finding).add("schema", finding)
        if not refused and self._render(file):
            file.values = merge(laid_over(file.document, over), self._chart.defaults)
            _review(file)
        return file

    def _owner(self, file: _File, finding: Finding) -> _File:
        return next((each for each in self._overlays if each.path == finding.file), file)

    def _render(self, file: _File) -> bool:
        """Add what helm and Kubernetes refuse; return whether the values are complete enough for the warnings."""
        over = as_arguments([each.path for each in self._overlays])
        remaining = list(self._versions)
        try:
            while remaining:
                arguments = [*ASSUMED, "--values", "-", *over, "--kube-version", remaining[0]]
                release = release_name(file.path)
                manifest = run_helm(self._helm, ["template", release, self._chart.folder, *arguments], file.text)
                objects = load_manifest(manifest)
                self._lint_by_helm(file, objects, arguments)
                versions = remaining if self._version_use.is_for_all(manifest) else remaining[:1]
                for name, reason in kubernetes.refusals(objects, versions):
                    file.add("kubernetes", Finding(name, None, None, reason))
                remaining = remaining[len(versions) :]
        except HelmRefused as error:
            for path, message in _broken_rules(str(error)):
                known = path is not None
                owner = file.owner(path or ())
                owner.add("rule" if known else "helm", finding_at(owner.document, path or (), message))
            return "must not be null" not in str(error)
        return True

    def _lint_by_helm(
        self, file: _File, objects: Sequence[Mapping[str, Any]], arguments: list[str | Path]
    ) -> None:
        kinds = frozenset((str(each["apiVersion"]), str(each["kind"])) for each in objects)
        with self._lock:
            if kinds in self._linted:
                return
            self._linted.add(kinds)
        try:
            run_helm(self._helm, ["lint", "--strict", self._chart.folder, *arguments], file.text)
        except HelmRefused as error:
            said = re.findall(r"^\[(?:ERROR|WARNING)\] (.+)$", error.output, flags=re.MULTILINE)
            for message in said or [str(error)]:
                file.add("helm-lint", Finding("", None, None, message))


def _broken_rules(message: str) -> list[tuple[FieldPath | None, str]]:
    """Return the field and message of each broken rule in helm's error, or the whole error without a field."""
    found = re.findall(r"^- ([\w.\[\]-]+): (.*)$", message, flags=re.MULTILINE)
    if not found:
        return [(None, message)]
    return [(_parse_path(path), text) for path, text in found]


def _parse_path(path: str) -> FieldPath:
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(index) if index else key for index, key in parts)


def _review(file: _File) -> None:
    for code, check in CHECKS.items():
        for path, message in check(file.values or {}):
            owner = file.owner(path)
            finding = finding_at(owner.document, path, message)
            if not owner.suppressions.suppress(code, finding.line):
                owner.add(code, finding)


def _check_across_files(files: Sequence[_File]) -> None:
    for code, check in CROSS_FILE.items():
        takers: dict[Any, list[tuple[_File, Claim]]] = defaultdict(list)
        for file in files:
            for claim in check(file.values or {}):
                if not file.suppressions.suppress(code, file.document.position(claim.path).line):
                    takers[claim.taken].append((file, claim))
        for group in takers.values():
            for file, claim in group:
                others = [
                    str(other.path)
                    for other, its in group
                    if other is not file and not (its.by_default and claim.by_default)
                ]
                if others:
                    message = (
                        f"{claim.text}, is taken by {' and '.join(others)} too; choose another in one of them"
                    )
                    file.add(code, finding_at(file.document, claim.path, message))


def _suppression_warnings(file: _File) -> Iterator[Diagnostic]:
    wrong = list(file.suppressions.wrong)
    if file.values is not None:
        wrong += file.suppressions.unused(set(CHECKS))
    for line, column, message in wrong:
        yield diagnostic_at(file.path, file.lines, line, column, UNUSED, "", message)
