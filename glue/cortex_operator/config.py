"""The operator's configuration: one JSON document, which the chart renders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cortex_async.errors import ConfigError

RIGHTS = frozenset({"read", "logs", "refresh", "submit", "deploy", "dead-letters"})
"""What a call may need a caller to be for."""


@dataclass(frozen=True)
class StsConfig:
    """Callers may prove that they are of one of the accounts, by a signed call of STS."""

    accounts: tuple[str, ...] = ()
    endpoint_url: str | None = None
    """Where to send the signed call instead, such as a VPC endpoint. None: the host that it was signed for."""


@dataclass(frozen=True)
class DeployConfig:
    """Whether callers may deploy and delete APIs, and what helm is given."""

    enabled: bool = False
    namespaces: tuple[str, ...] = ()
    """The first is where a new API goes."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The platform's values, under those of the entry."""
    timeout_seconds: int = 600
    """Of one run of helm."""


@dataclass(frozen=True)
class OperatorConfig:
    """All that the operator is told."""

    port: int = 8888
    cluster_name: str = "cortex"
    region: str | None = None
    namespaces: tuple[str, ...] = ()
    """Where APIs are looked for. Empty: everywhere."""
    served_versions: tuple[str, ...] = ("0.1", "0.42")
    """Versions of clients that are served, each with all below it: 0.42 is 0.42.1 too."""
    anonymous: frozenset[str] = frozenset({"read", "logs"})
    """Rights of callers that prove nothing."""
    token_file: Path | None = None
    """A file with the bearer tokens that have every right, one a line."""
    sts: StsConfig = StsConfig()
    releases: bool = False
    """Whether Helm's release Secrets may be read: for the history, and the configuration as it was deployed."""
    endpoint_url: str | None = None
    """Before the path of an API, as callers reach it. None: the API's own gateway Service, else the shared one."""
    gateway_url: str | None = None
    """Of the shared gateway, for the APIs that have none of their own. None: there is none."""
    gateway_namespace: str | None = None
    """Of the shared gateway's pods."""
    dead_letters: bool = False
    """Whether the page shows dead letters, for which the operator needs rights in AWS."""
    public_url: str | None = None
    """Of the operator, as browsers reach it. None: as the call reached it."""
    log_url: str | None = None
    """Of a viewer of logs, with {name} and {namespace}."""
    deploy: DeployConfig = DeployConfig()
    chart: Path = Path("/app/chart")
    helm: Path = Path("/usr/local/bin/helm")


def load(file: Path) -> OperatorConfig:
    """Read the document; raises ConfigError."""
    try:
        return parse(json.loads(file.read_text()))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file} is no JSON: {error}") from error


def parse(document: Mapping[str, Any]) -> OperatorConfig:
    """Check the document's keys, and return it; raises ConfigError."""
    given = _fields(OperatorConfig, document)
    for name, kind in (("sts", StsConfig), ("deploy", DeployConfig)):
        if name in given:
            given[name] = kind(**_fields(kind, given[name]))
    for name in ("token_file", "chart", "helm"):
        if given.get(name) is not None:
            given[name] = Path(given[name])
    given["anonymous"] = frozenset(given.get("anonymous", ("read", "logs")))
    if unknown := given["anonymous"] - RIGHTS:
        raise ConfigError(f"anonymous has {sorted(unknown)}; there are {sorted(RIGHTS)}")
    config = OperatorConfig(**given)
    if config.deploy.enabled and not config.deploy.namespaces:
        raise ConfigError("deploy.enabled needs deploy.namespaces: where APIs may be deployed to")
    return config


def _fields(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return camelCase keys as the fields of a dataclass, lists as tuples."""
    known = {_camel(each.name): each.name for each in fields(kind)}
    if unknown := document.keys() - known.keys():
        raise ConfigError(f"unknown keys {sorted(unknown)}; there are {sorted(known)}")
    return {known[key]: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
