"""Write gateway/openapi.json, what the gateway serves, from openapi.yaml and the schemas that it names.

`python schemas/bundle.py` writes the file, `--check` says whether it is stale and exits 1.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parent
BUNDLE = SCHEMAS.parent / "glue" / "cortex_async" / "gateway" / "openapi.json"


def bundle() -> dict[str, Any]:
    """Return the description with the other files' schemas in the place of their names."""
    document: dict[str, Any] = _resolved(yaml.safe_load((SCHEMAS / "openapi.yaml").read_text()))
    return document


def _resolved(part: Any) -> Any:
    if isinstance(part, list):
        return [_resolved(each) for each in part]
    if not isinstance(part, dict):
        return part
    if (name := str(part.get("$ref", ""))).endswith(".schema.json"):
        schema: dict[str, Any] = json.loads((SCHEMAS / name).read_text())
        return {key: value for key, value in schema.items() if key != "$schema"}
    return {key: _resolved(value) for key, value in part.items()}


def main() -> int:
    """Write the file, or check it."""
    text = json.dumps(bundle(), separators=(",", ":")) + "\n"
    if "--check" not in sys.argv:
        BUNDLE.write_text(text)
    elif not BUNDLE.is_file() or BUNDLE.read_text() != text:
        print(f"{BUNDLE} is stale; run python schemas/bundle.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
