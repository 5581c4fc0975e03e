"""Show what an edit of a values file changes in the cluster: a diff of each object, and which pods restart.

The file is compared with its last commit (HEAD), with another git revision (`--against origin/main`), or with an
installed release (`--against release:NAME`, read from the cluster of your kubeconfig). To compare with a revision,
both sides are rendered with the chart of the working tree.
"""

import argparse
import difflib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cortex_async.errors import CortexError
from cortex_async_tools.chart import helm
from cortex_async_tools.chart.helm_yaml import dump_yaml, load_manifest
from cortex_async_tools.chart.rendering import (
    HelmRefused,
    Object,
    add_overlays_argument,
    as_arguments,
    find_data,
    find_object,
    release_name,
    render,
    run_helm,
)
from cortex_async_tools.chart.values_file import ValuesError, check_values, find_chart
from cortex_async_tools.chart.values_file.document import DocumentError, decode

_RELEASE = "release:"
"""The prefix of a release's name. No git revision can begin with it."""

_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"}

_COMPONENTS = {"api": "the API's pods", "gateway": "the gateway's pods"}

Objects = Mapping[str, Object]
"""Objects by kind and name."""


class DiffError(CortexError):
    """There is nothing to compare the file with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("values", type=Path, metavar="VALUES", help="values file as it is now")
    add_overlays_argument(parser)
    parser.add_argument(
        "--against",
        default="HEAD",
        metavar="REV|release:NAME",
        help="a git revision of the file, or an installed release, to compare with (default: %(default)s)",
    )
    parser.add_argument("--namespace", "-n", metavar="NAME", help="namespace (default: that of your kubeconfig)")
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="K=V",
        help="set a value on the file's side, as for the release; for a revision on both",
    )
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to render (default: this checkout's)")


def run(args: argparse.Namespace) -> int:
    """Print the differences and what restarts; raises ValuesError, RenderError or DiffError."""
    file, against = args.values, args.against
    chart = find_chart(args.chart)
    if findings := check_values(file, chart, over=args.overlays):
        raise ValuesError(file, findings)
    options = ["--namespace", args.namespace] if args.namespace else []
    release = against.removeprefix(_RELEASE) if against.startswith(_RELEASE) else None
    settings = [f"--set={setting}" for setting in args.settings]

    def rendered(source: Path | str, text: str) -> Objects:
        arguments = [*options, *settings, "--values", "-", *as_arguments(args.overlays)]
        return _by_name(render(source, chart, release or release_name(file), arguments, text))

    new = rendered(file, file.read_text(encoding="utf-8-sig"))
    if release is not None:
        old = _by_name(_installed(release, options))
    else:
        committed = _committed(file.resolve(), against)
        old = {} if committed is None else rendered(f"{file} at {against}", committed)
    for name in sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
        print("".join(_lines(name, against, str(file), old.get(name), new.get(name))), end="")
    print("\n".join(_summary(old, new, against)))
    return 0


def _by_name(objects: Sequence[Object]) -> Objects:
    return {f"{each['kind']} {each['metadata']['name']}": each for each in objects}


def _installed(release: str, options: Sequence[str]) -> list[Object]:
    """Return the objects of the release as it was deployed last, including its hooks; raises DiffError."""
    program = helm.locate()
    try:
        history = json.loads(run_helm(program, ["history", release, *options, "--output", "json"]))
        # an upgrade that failed is the latest revision, and what runs is still the deployed one
        deployed = [each["revision"] for each in history if each["status"] == "deployed"]
        revision = ["--revision", str(deployed[-1])] if deployed else []
        texts = [run_helm(program, ["get", part, release, *revision, *options]) for part in ("manifest", "hooks")]
    except HelmRefused as error:
        raise DiffError(f"helm cannot read the release {release}: {error}") from error
    return [each for text in texts for each in load_manifest(text)]


def _committed(file: Path, revision: str) -> str | None:
    """Return the file's text at a git revision, or None when it did not exist; raises DiffError."""
    verify = _git(file.parent, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if verify.returncode != 0:
        errors = verify.stderr.decode(errors="replace")
        reason = (errors.strip().splitlines() or ["no reason given"])[-1].removeprefix("fatal: ")
        raise DiffError(
            f"git knows no revision {revision} of {file} ({reason}); "
            f"name one with --against, or an installed release with --against {_RELEASE}NAME"
        )
    shown = _git(file.parent, "show", f"{verify.stdout.decode().strip()}:./{file.name}")
    if shown.returncode != 0:
        return None
    try:
        return decode(shown.stdout)
    except DocumentError as error:
        raise DiffError(f"{file.name} at {revision}: {error}; name another revision with --against") from error


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # git sets these in a hook; they would override the repository of the file
    env = {name: value for name, value in os.environ.items() if name not in _REPOSITORY}
    try:
        return subprocess.run(  # noqa: S603 (git, without a shell)
            ["git", "-C", folder, *arguments],  # noqa: S607 (the one on PATH)
            capture_output=True,
            check=False,
            env=env,
        )
    except OSError as error:
        raise DiffError(f"cannot run git: {error.strerror}") from error


def _lines(name: str, before: str, after: str, old: Object | None, new: Object | None) -> Iterator[str]:
    """Yield the unified diff of one object."""

    def text(each: Object | None) -> list[str]:
        return [] if each is None else dump_yaml(_sorted(each)).splitlines(keepends=True)

    def title(each: Object | None, side: str) -> str:
        return "/dev/null" if each is None else f"{name} ({side})"

    return difflib.unified_diff(text(old), text(new), title(old, before), title(new, after))


def _sorted(value: Any) -> Any:
    """Sort the keys of all mappings, because their order has no meaning."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _summary(old: Objects, new: Objects, against: str) -> Iterator[str]:
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    for word, names in (
        ("changed", changed),
        ("added", sorted(new.keys() - old.keys())),
        ("removed", sorted(old.keys() - new.keys())),
    ):
        if names:
            yield f"{word}: {', '.join(names)}"
    if old == new:
        yield f"Nothing that is rendered differs from {against}."
        return
    yield from _about_data(old, new)
    yield from _about_pods(old, new)


def _about_data(old: Objects, new: Objects) -> Iterator[str]:
    """Yield a sentence for a queue or S3 prefix that is no longer used, because its data stays there."""
    if not old:
        return
    (old_queue, old_storage), (new_queue, new_storage) = (_data(side) for side in (old, new))
    if old_queue != new_queue:
        yield (
            f"The queue is {new_queue} instead of {old_queue}: "
            "requests and dead letters of the old one stay there."
        )
    if old_storage != new_storage:
        yield (
            f"Payloads and results are under {new_storage} instead of {old_storage}: "
            "those under the old one stay there."
        )


def _data(objects: Objects) -> tuple[str, str]:
    """Return the queue and the S3 prefix. `api_config` is not used: a release may be of an older version."""
    api = json.loads(find_data(objects.values(), "ConfigMap", "api.json"))
    aws, queue, storage = api["aws"], api["queue"], api["storage"]
    at = f" at {aws['endpointUrl']}" if aws["endpointUrl"] else ""
    named = f"{queue['name']} in {aws['region']}{at}"
    return queue["url"] or named, f"s3://{storage['bucket']}/{storage['prefix']}/{api['name']}{at}"


def _about_pods(old: Objects, new: Objects) -> Iterator[str]:
    """Yield which pods restart: those of a Deployment with a changed pod template."""
    restarting, said = [], False
    for component, words in _COMPONENTS.items():
        before, after = (find_object(side.values(), "Deployment", component) for side in (old, new))
        if before is None or after is None or before["metadata"]["name"] != after["metadata"]["name"]:
            if before is not after:
                said = True
                yield _capital(
                    f"{words} are {'removed' if after is None else 'new' if before is None else 'replaced'}."
                )
        elif before["spec"]["template"] != after["spec"]["template"]:
            restarting.append(words)
    if restarting:
        yield _capital(f"{' and '.join(restarting)} restart.")
    elif not said:
        yield "No running pod restarts."


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
