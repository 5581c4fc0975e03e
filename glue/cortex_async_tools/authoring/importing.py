"""Write a values file for each AsyncAPI entry of a cortex.yaml; the fields of the entry do not change.

All entries are checked by the schema and by helm before the first file is written. Entries of other kinds are left
out; a note says what to use for them on Kubernetes.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortex_async.errors import CortexError
from cortex_async_tools.authoring import outside, writing
from cortex_async_tools.chart.helm_yaml import dump_yaml
from cortex_async_tools.chart.rendering import render
from cortex_async_tools.chart.values_file import Chart, Finding, ValuesError, finding_at, unreadable_findings
from cortex_async_tools.chart.values_file.document import (
    Document,
    DocumentError,
    FieldPath,
    Position,
    parse_document,
    parse_yaml,
    read_text,
)
from cortex_async_tools.chart.values_file.messages import listed, nearest_name, show
from cortex_async_tools.chart.values_file.removed_keys import replacement_hint

OTHER_KINDS = {
    "RealtimeAPI": "its clients wait for the response on one connection; if they can come back for the result "
    "instead, change its kind to AsyncAPI and import it again, else run a Deployment and a Service",
    "BatchAPI": "it runs jobs over lists of items; submit each to an AsyncAPI, or run an indexed Kubernetes Job",
    "TaskAPI": "it runs a container to its end, once a task; a Kubernetes Job does that",
    "TrafficSplitter": "it splits requests between RealtimeAPIs; an Istio VirtualService or an HTTPRoute with "
    "weights does that",
}
"""The other kinds of Cortex, and what to use instead."""

_PYTHON_CLASS = {"predictor", "handler"}
"""Fields from before Cortex had containers. Other problems of such an entry are not reported."""

_CONTAINER = "put the class behind a web server in an image, and describe that there"


class ImportRefused(CortexError):
    """Nothing can be imported."""


@dataclass(frozen=True)
class Entry:
    """One API of a cortex.yaml: its fields with their positions, and its text if it can stand alone."""

    document: Document
    line: int
    text: str | None

    @property
    def values(self) -> Mapping[str, Any]:
        """The fields of the entry."""
        return self.document.values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "file", type=Path, metavar="CORTEX_YAML", help="a list of APIs, as `cortex deploy` takes it"
    )
    parser.add_argument(
        "--output-dir", type=Path, default=Path(), metavar="FOLDER", help="where NAME.yaml goes (default: here)"
    )
    outside.add_arguments(parser)
    writing.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files and name what was left out; raises ValuesError, RenderError, ImportRefused, OutputError."""
    chart = Chart(args.chart)
    entries = _read(args.file)
    if findings := list(_problems(entries, chart, args)):
        if wrong := _of_options(findings, entries):
            raise ImportRefused("\n  ".join(["nothing is written, because of", *wrong]))
        raise ValuesError(args.file, findings)
    texts = {}
    for entry in entries:
        place = f"{args.file}:{entry.line}"
        if entry.values["kind"] in OTHER_KINDS:
            kind = entry.values["kind"]
            print(f"note: {place}: {_name(entry)} is a {kind}, left out: {OTHER_KINDS[kind]}", file=sys.stderr)
            continue
        file = args.output_dir / f"{entry.values['name']}.yaml"
        text = _text(entry, args, chart.folder, file)
        render(place, chart.folder, entry.values["name"], ["--values", "-"], text)
        texts[file] = text
    if not texts:
        raise ImportRefused(f"{args.file} has no entry of kind AsyncAPI, so nothing is written")
    if any(file.exists() and file.samefile(args.file) for file in texts):
        raise ImportRefused(f"{args.file} would be overwritten itself; choose another folder with --output-dir")
    writing.write_files(texts, force=args.force)
    for file, text in texts.items():
        print(f"{writing.shell_word(file)} is written")
        values = parse_document(text).values
        for loss in outside.losses(values):
            print(f"note: {values['name']} loses {loss}", file=sys.stderr)
    for note in (*writing.placeholder_notes(args), *_node_group_notes(entries)):
        print(f"note: {note}", file=sys.stderr)
    return 0


def _read(file: Path) -> list[Entry]:
    """Return the entries of the file; raises ValuesError when it is not a list of mappings."""
    try:
        text = read_text(file)
        found, positions = parse_yaml(text)
    except DocumentError as error:
        raise ValuesError(file, unreadable_findings(error)) from error
    if not isinstance(found, list):
        hint = "; one entry by itself is a values file as it stands" if isinstance(found, dict) else ""
        raise ValuesError(
            file, [Finding("", 1, 1, f"expected a list of APIs (`- name: …`), got {show(found)}{hint}")]
        )
    starts = [positions[(index,)] for index in range(len(found))]
    wrong = [
        Finding("", start.line, start.column, f"expected the fields of an API, got {show(values)}")
        for values, start in zip(found, starts, strict=True)
        if not isinstance(values, dict)
    ]
    if wrong:
        raise ValuesError(file, wrong)
    lines = text.split("\n")
    ends = [*(start.line - 1 for start in starts[1:]), len(lines)]
    return [
        Entry(_document(values, index, positions), start.line, _own_text(lines[:end], start, values))
        for index, (values, start, end) in enumerate(zip(found, starts, ends, strict=True))
    ]


def _document(values: dict[str, Any], index: int, positions: Mapping[FieldPath, Position]) -> Document:
    return Document(values, {path[1:]: place for path, place in positions.items() if path[0] == index})


def _own_text(lines: Sequence[str], start: Position, values: Mapping[str, Any]) -> str | None:
    """Return the lines of an entry as a document, or None when they would mean something else on their own."""
    margin = start.column - 1
    own = [line[margin:] if not line[:margin].strip(" -") else line.lstrip() for line in lines[start.line - 1 :]]
    while own and re.fullmatch(r"\s*|#.*", own[-1]):  # comments before the next entry belong to that one
        own.pop()
    text = "\n".join([*own, ""])
    try:
        return text if parse_yaml(f"{text}after: it\n")[0] == {**values, "after": "it"} else None
    except DocumentError:
        return None


def _problems(entries: Sequence[Entry], chart: Chart, args: argparse.Namespace) -> Iterator[Finding]:
    names: dict[str, int] = {}
    for entry in entries:
        kind = entry.values.get("kind")
        if isinstance(kind, str) and kind in OTHER_KINDS:
            continue
        if kind != "AsyncAPI":
            yield finding_at(entry.document, ("kind",), _unknown_kind(kind))
            continue
        name = entry.values.get("name")
        if name is None:
            yield finding_at(entry.document, ("name",), "required: the file is called after it")
        elif str(name) in names:
            line = names[str(name)]
            yield finding_at(entry.document, ("name",), f"{name} is the name of the entry in line {line}, too")
        else:
            names[str(name)] = entry.line
        if old := _PYTHON_CLASS & entry.values.keys():
            field = min(old)
            yield finding_at(entry.document, (field,), f"{replacement_hint((field,))}: {_CONTAINER}")
        else:
            yield from chart.check(entry.document, _additions(entry, args))


def _of_options(findings: Sequence[Finding], entries: Sequence[Entry]) -> list[str]:
    """Return what is wrong with the options, not with the file: with values of `aws` that no entry has itself."""
    if any("aws" in entry.values for entry in entries):
        return []
    options = {f"aws.{name}": f"--{name}" for name in writing.PLACEHOLDERS}
    return list(
        dict.fromkeys(f"{options[each.path]}: {each.message}" for each in findings if each.path in options)
    )


def _unknown_kind(kind: Any) -> str:
    kinds = ["AsyncAPI", *OTHER_KINDS]
    nearest = nearest_name(str(kind), kinds)
    return f"expected one of {listed(kinds)}, got {show(kind)}" + (
        f"; did you mean `{nearest}`?" if nearest else ""
    )


def _name(entry: Entry) -> str:
    return str(entry.values.get("name") or "it")


def _additions(entry: Entry, args: argparse.Namespace) -> dict[str, Any]:
    """Return the values that the chart needs beside the entry; those of `networking` contain the entry's own."""
    added: dict[str, Any] = {"aws": writing.aws_location(args), "securityContext": {"level": "baseline"}}
    found = {key: value for key, value in added.items() if key not in entry.values}
    if way := outside.networking(args):
        own = entry.values.get("networking")
        found["networking"] = {**(own if isinstance(own, dict) else {}), **way}
    return found


def _node_group_notes(entries: Sequence[Entry]) -> list[str]:
    """Return a note on how to use node groups that Cortex created."""
    names = [
        _name(each)
        for each in entries
        if each.values["kind"] == "AsyncAPI"
        and each.values.get("node_groups")
        and "nodeGroupLabel" not in each.values
    ]
    if not names:
        return []
    return [
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} node_groups, taken for EKS managed ones; on a "
        "cluster that Cortex made, add `nodeGroupLabel: {key: alpha.eksctl.io/nodegroup-name, prefix: cx-wd-}` "
        "(cx-ws- for spot) and `tolerations: [{key: workload, operator: Exists, effect: NoSchedule}]`"
    ]


def _text(entry: Entry, args: argparse.Namespace, chart: Path, file: Path) -> str:
    added = _additions(entry, args)
    merged = {key: added.pop(key) for key in list(added) if key in entry.values}
    kept = entry.text is not None and not merged
    text = writing.render_template(
        "imported.yaml.j2",
        schema=writing.schema_reference(chart, args.output_dir),
        file=file,
        name=entry.values["name"],
        chart=writing.path_from_here(chart),
        source=args.file.name,
        line=entry.line,
        lost=entry.text is None,
        merged=merged,
        entry=entry.text if kept else dump_yaml({**entry.values, **merged}),
        **{"aws": None, "securityContext": None, "networking": None, **added},
    )
    if parse_document(text).values != {**entry.values, **merged, **added}:
        raise AssertionError(f"the entry in line {entry.line} would change")
    return text
