"""What of api.json each process reads: the chart restarts its pods when that changes, and only then."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cortex_async

PACKAGE = Path(cortex_async.__file__).parent
SHARED = ["queue", "storage", "http", "request_id.py", "aws"]


def _read(names: list[str]) -> Iterator[str]:
    """Attributes of what is called config or api."""
    for name in names:
        path = PACKAGE / name
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute):
                    owner = node.value.attr if isinstance(node.value, ast.Attribute) else node.value
                    if getattr(owner, "id", owner) in {"config", "_config", "api", "_api"}:
                        yield node.attr


@pytest.mark.parametrize(
    ("process", "reads", "never"),
    [("dispatcher", "pod", {"gateway"}), ("gateway", "gateway", {"pod", "probes", "dispatcher"})],
)
def test_a_process_reads_its_own_part_alone(process: str, reads: str, never: set[str]) -> None:
    found = set(_read([process, *SHARED]))
    assert reads in found
    assert not found & never
