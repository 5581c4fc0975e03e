"""Validate rendered objects against the published schemas of each Kubernetes version."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cortex_async.errors import CortexError
from cortex_async_tools.lint import custom_resources

try:
    from kubernetes_validate import utils
except ImportError:  # `make demo` leaves it out: only lint needs it
    utils = None


def versions(chart: Path, wanted: Sequence[str]) -> list[str]:
    """Return the versions to validate for: those wanted, else the oldest and the newest. Raises `CortexError`."""
    if utils is None:
        raise CortexError(
            "validation of Kubernetes objects needs the package kubernetes-validate, which is not installed; in a "
            "checkout `make .venv/.ready` installs all that the commands need (`make demo` only what `local` does)"
        )
    match = re.search(r"kubeVersion:.*>=\s*(\d+\.\d+)", (chart / "Chart.yaml").read_text(encoding="utf-8"))
    known = list(dict.fromkeys(_major_minor(each) for each in utils.all_versions()))
    oldest = _major_minor(match[1]) if match else known[0]
    supported = [each for each in known if _numbers(each) >= _numbers(oldest)]
    if not wanted:
        return [supported[0], supported[-1]]
    for each in wanted:
        if _major_minor(each) not in supported:
            raise CortexError(f"--kube-version {each}: expected one of {', '.join(supported)}")
    return list(dict.fromkeys(_major_minor(each) for each in wanted))


def refusals(objects: Sequence[Mapping[str, Any]], versions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what an API server of one of the versions would refuse: the object with the field, and the reason."""
    for each in objects:
        kind, api_version = each["kind"], each["apiVersion"]
        name = f"{kind} {each['metadata']['name']}"
        if (api_version, kind) in custom_resources.SCHEMAS:
            yield from _refusals(each, name, _custom_validator(api_version, kind), "")
            continue
        for version in versions:
            validator = _validator(version, kind, api_version)
            if validator is None:
                yield name, f"Kubernetes {version} has no {kind} of {api_version}"
            else:
                yield from _refusals(each, name, validator, f" (Kubernetes {version})")


def _refusals(given: Mapping[str, Any], name: str, validator: Any, whose: str) -> Iterator[tuple[str, str]]:
    for error in validator.iter_errors(given):
        field = ".".join(str(part) for part in error.absolute_path)
        yield f"{name}, {field}" if field else name, f"{error.message}{whose}"


@functools.cache
def _custom_validator(api_version: str, kind: str) -> Any:
    from jsonschema.validators import Draft202012Validator  # noqa: PLC0415 (only lint needs it)

    return Draft202012Validator(custom_resources.SCHEMAS[api_version, kind])


@functools.cache
def _validator(version: str, kind: str, api_version: str) -> Any:
    from jsonschema.validators import Draft202012Validator  # noqa: PLC0415 (only lint needs both)
    from referencing import Registry, Resource  # noqa: PLC0415

    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    folder = f"kubernetes-json-schema/v{_file_version(version)}-local-strict"
    try:
        schema = utils.schema_contents(f"{folder}/{kind.lower()}-{group}.json", version)
    except FileNotFoundError:
        return None
    registry: Registry[Any] = Resource.from_contents(_definitions(folder, version)) @ Registry()
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ registry)


@functools.cache
def _definitions(folder: str, version: str) -> Any:
    return utils.schema_contents(f"{folder}/_definitions.json", version)


@functools.cache
def _file_version(version: str) -> str:
    return str(next(each for each in utils.all_versions() if _major_minor(each) == version))


def _major_minor(version: str) -> str:
    return ".".join(version.removeprefix("v").split(".")[:2])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
