"""Which APIs are served: a pure decision over the ConfigMaps that there are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cortex_async import config
from cortex_async.config import ApiConfig
from cortex_async.errors import ConfigError
from cortex_async.gateway.shared.watch import Found

Key = tuple[str, str]
"""The namespace and the name of a ConfigMap."""

OWN_PATHS: Final = ("/healthz", "/readyz", "/openapi.json")
"""Paths of the gateway itself."""


@dataclass(frozen=True)
class Choice:
    """What is served, and why all else is not."""

    served: Mapping[Key, ApiConfig]
    refused: Mapping[Key, str]


@dataclass(frozen=True)
class Candidate:
    """A ConfigMap as it was read: its configuration, or what is wrong with it."""

    created: str
    config: ApiConfig | None
    problem: str = ""


def read(found: Found) -> Candidate:
    """Read a ConfigMap."""
    if found.text is None:
        return Candidate(found.created, None, "the ConfigMap has no key api.json")
    try:
        return Candidate(found.created, config.parse(json.loads(found.text)))
    except ConfigError as error:
        return Candidate(found.created, None, str(error))
    except ValueError as error:
        return Candidate(found.created, None, f"api.json is not JSON: {error}")


def choose(candidates: Mapping[Key, Candidate]) -> Choice:
    """Choose: of two that want the same path the one that was there first, so that no other can take it over."""
    served: dict[Key, ApiConfig] = {}
    refused: dict[Key, str] = {}
    paths: dict[str, Key] = {}
    names: dict[Key, Key] = {}
    for key, candidate in sorted(candidates.items(), key=lambda each: (each[1].created, each[0])):
        api = candidate.config
        if api is None:
            refused[key] = candidate.problem
            continue
        path, name = api.gateway.endpoint, (key[0], api.name)
        if api.gateway.api_keys is not None:
            refused[key] = "its gateway.apiKeys are in a Secret that only a gateway of its own has"
        elif api.gateway.webhooks is not None:
            refused[key] = "the secrets of its webhooks are in a Secret that only a gateway of its own has"
        elif path in OWN_PATHS:
            refused[key] = f"{path} is a path of the gateway itself; set another networking.endpoint"
        elif path in paths:
            other = "/".join(paths[path])
            refused[key] = f"{path} is served for {other}, which was there first; set another networking.endpoint"
        elif name in names:
            refused[key] = f"the API {api.name} is served for {'/'.join(names[name])}, which was there first"
        else:
            served[key], paths[path], names[name] = api, key, key
    return Choice(served, refused)
