"""Runs helm, the real one, as an operator at a terminal would."""

import asyncio
import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cortex_operator.errors import HelmFailed


class Helm:
    """One helm and the chart; raises HelmFailed."""

    def __init__(self, program: Path, chart: Path, timeout_seconds: int) -> None:
        self._program = program
        self._chart = chart
        self._timeout = timeout_seconds

    async def upgrade(self, release: str, namespace: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Install a release or bring it up to date, with sets of values of which a later one wins."""
        with tempfile.TemporaryDirectory() as folder:
            options = []
            for number, each in enumerate(values):
                file = Path(folder, f"{number}.json")  # JSON is YAML
                await asyncio.to_thread(file.write_text, json.dumps(each))
                options += ["--values", str(file)]
            arguments = ["upgrade", release, str(self._chart), "--install", "--namespace", namespace]
            await self._run([*arguments, "--timeout", f"{self._timeout}s", *options])

    async def uninstall(self, release: str, namespace: str) -> None:
        """Remove a release."""
        await self._run(["uninstall", release, "--namespace", namespace, "--timeout", f"{self._timeout}s"])

    async def _run(self, arguments: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:  # helm keeps caches in its home, which is read-only here
            try:
                process = await asyncio.create_subprocess_exec(
                    self._program,
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    env={**os.environ, "HOME": folder},
                )
            except OSError as error:
                raise HelmFailed(f"{self._program} cannot be run: {error.strerror}") from error
            try:
                async with asyncio.timeout(self._timeout + 30):  # helm's own comes first
                    _, errors = await process.communicate()
            except TimeoutError as error:
                raise HelmFailed(f"helm {arguments[0]} had not ended after {self._timeout + 30} s") from error
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        if process.returncode != 0:
            raise HelmFailed(f"helm {arguments[0]}: {message(errors.decode(errors='replace'))}")


def message(stderr: str) -> str:
    """Return what helm has against the values or the cluster, without its warnings and its templates' places."""
    text = re.sub(r"^(WARNING|level=|I\d{4} |W\d{4} ).*\n?", "", stderr, flags=re.MULTILINE).strip()
    text = re.sub(r"^Error: ", "", text)
    *_, text = re.split(r"execution error at \([^)]*\): ", text)
    return text[:4000] or "it said nothing"
