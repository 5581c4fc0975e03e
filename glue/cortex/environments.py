"""Environments: the clusters that a machine knows, in `cli.yaml` of the configuration folder.

The folder is `$CORTEX_CLI_CONFIG_DIR`, or `~/.cortex`. In a container of an API it is a Secret, which nobody can
write.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cortex.exceptions import ConfigError, NotFound, ReadOnlyFolder

_NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Environment:
    """A cluster: its name on this machine, and the URL of its operator."""

    name: str
    operator_endpoint: str

    def document(self) -> dict[str, str]:
        """Return it as `cli.yaml` and `cortex env list` have it."""
        return {"name": self.name, "operator_endpoint": self.operator_endpoint}


@dataclass(frozen=True)
class Environments:
    """What `cli.yaml` holds."""

    default: str | None
    all: Sequence[Environment]

    def get(self, name: str | None) -> Environment:
        """Return an environment, or the default one for None; raises NotFound."""
        if name is None and self.default is None:
            raise NotFound("no default environment is configured; run `cortex env default NAME`, or name one")
        wanted = name or self.default
        for each in self.all:
            if each.name == wanted:
                return each
        known = ", ".join(each.name for each in self.all) or "none"
        raise NotFound(
            f"can't find environment {wanted} (configured: {known}); "
            f"create it by `cortex env configure {wanted} --operator-endpoint URL`"
        )

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"default_environment": self.default, "environments": [each.document() for each in self.all]}


def config_folder() -> Path:
    """Return the folder of the configuration."""
    named = os.environ.get("CORTEX_CLI_CONFIG_DIR")
    return Path(named).expanduser() if named else Path.home() / ".cortex"


def load() -> Environments:
    """Read `cli.yaml`; none is as good as an empty one. Raises ConfigError."""
    file = config_folder() / "cli.yaml"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return Environments(None, ())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no YAML: {error}") from error
    try:
        found = tuple(
            Environment(str(each["name"]), str(each["operator_endpoint"]).rstrip("/"))
            for each in document.get("environments") or ()
        )
        default = document.get("default_environment")
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} must hold default_environment, and environments with a name and an operator_endpoint each"
        ) from error
    return Environments(None if default is None else str(default), found)


def configure(name: str, operator_endpoint: str) -> None:
    """Add an environment or change its operator; the first one becomes the default. Raises ConfigError."""
    if not operator_endpoint.startswith(("http://", "https://")):
        raise ConfigError(f"{operator_endpoint} is no URL of an operator: expected http://… or https://…")
    before = load()
    others = [each for each in before.all if each.name != name]
    added = Environment(name, operator_endpoint.rstrip("/"))
    _save(Environments(before.default or name, (*others, added)))


def delete(name: str) -> None:
    """Remove an environment. Raises NotFound and ConfigError."""
    before = load()
    before.get(name)
    left = tuple(each for each in before.all if each.name != name)
    _save(Environments(None if before.default == name else before.default, left))


def set_default(name: str) -> None:
    """Make an environment the default. Raises NotFound and ConfigError."""
    before = load()
    before.get(name)
    _save(Environments(name, before.all))


def _save(environments: Environments) -> None:
    """Write `cli.yaml` whole or not at all; JSON is YAML too."""
    folder = config_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".cli.", delete=False) as fresh:
            yaml.safe_dump(json.loads(json.dumps(environments.document())), fresh, sort_keys=False)
        os.replace(fresh.name, folder / "cli.yaml")
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            raise ReadOnlyFolder(
                f"environments cannot be changed: {folder} is read-only ({error.strerror}); "
                "set CORTEX_CLI_CONFIG_DIR to a folder that can be written"
            ) from error
        raise ConfigError(f"{folder / 'cli.yaml'} cannot be written: {error.strerror}") from error
