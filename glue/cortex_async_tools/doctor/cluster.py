"""The cluster of the kubeconfig, read by kubectl with the user's own rights: it knows every way to log in."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cortex_async.errors import CortexError


class ClusterError(CortexError):
    """The API server did not answer what was asked."""


class Forbidden(ClusterError):
    """The user may not read that."""


class Cluster:
    """A cluster; every call raises ClusterError."""

    def __init__(self, kubectl: Path, context: str | None) -> None:
        self._words = [str(kubectl), *(["--context", context] if context else []), "--request-timeout=20s"]

    def get(self, path: str) -> dict[str, Any] | None:
        """Return what the API server has under a path, or None when there is nothing."""
        done = self._run("get", "--raw", path)
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)
            return found
        said = done.stderr.strip().removeprefix("Error from server ")
        if said.startswith("(NotFound)") or "could not find the requested resource" in said:
            return None
        if said.startswith("(Forbidden)"):
            raise Forbidden(f"you may not read {path}")
        raise ClusterError(said or f"kubectl ended with exit code {done.returncode}")

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the objects of a list."""
        words = "&".join(f"{key}={value}" for key, value in (query or {}).items())
        found = self.get(f"{path}?{words}" if words else path) or {}
        return list(found.get("items") or ())

    def namespace(self) -> str:
        """Return the namespace of the kubeconfig's context."""
        done = self._run("config", "view", "--minify", "--output", "jsonpath={..namespace}")
        return done.stdout.strip() or "default"

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 (kubectl, without a shell)
                [*self._words, *words], capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise ClusterError(f"cannot run {self._words[0]}: {error.strerror}; put kubectl on PATH") from error
