"""What the command prints for people: tables, ages, and an API's details."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_FAILURES = {
    "err_image_pull": "ErrImagePull",
    "failed": "Failed",
    "killed": "Killed",
    "killed_oom": "KilledOOM",
    "stalled": "Stalled",
    "unknown": "Unknown",
}
_COUNTS = {
    "creating": "Creating",
    "not_ready": "NotReady",
    "pending": "Pending",
    "ready": "Ready",
    "ready_out_of_date": "ReadyOutOfDate",
    "requested": "Requested",
    "terminating": "Terminating",
}
_STATUS_WIDTH = 35
_HEADINGS = ("env", "async api", "live", "up-to-date", "last update")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows with their columns aligned; cells are cut so that a line fits the terminal."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    room = shutil.get_terminal_size((1000, 24)).columns
    while sum(widths) + 3 * (len(widths) - 1) > room and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1
    return "\n".join("   ".join(_fitted(cell, width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _fitted(cell: str, width: int) -> str:
    return (cell if len(cell) <= width else f"{cell[: width - 1]}…").ljust(width)


def age(epoch_seconds: float) -> str:
    """Return the time since then, in its two largest units."""
    seconds = max(0, int(time.time() - epoch_seconds))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 86_400:
        return f"{seconds // 3600}h{seconds % 3600 // 60}m"
    return f"{seconds // 86_400}d{seconds % 86_400 // 3600}h"


def apis(environment: str, found: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of APIs."""
    if not found:
        return "no apis are deployed"
    rows = [_HEADINGS]
    for each in found:
        metadata, status = each["metadata"], each["status"]
        live = f"{status['ready']}/{status['requested']}"
        rows.append(
            (environment, metadata["name"], live, str(status["up_to_date"]), age(metadata["last_updated"]))
        )
    return table(rows)


def details(environment: str, api: Mapping[str, Any], *, verbose: bool) -> str:
    """Return what `get API` prints."""
    parts = [apis(environment, [api]), _links(api)]
    history = [("api id", "last deployed")]
    history += [(each["api_id"], age(each["last_updated"])) for each in api.get("api_versions") or ()]
    if len(history) > 1:
        parts.append(table(history))
    if verbose and api.get("spec"):
        parts.append(yaml.safe_dump(json.loads(json.dumps(api["spec"])), sort_keys=False).rstrip())
    return "\n\n".join(parts)


def description(environment: str, api: Mapping[str, Any]) -> str:
    """Return what `describe` prints: failures only where there are some."""
    counts = api["status"].get("replica_counts") or {}
    shown = {label: counts.get(key, 0) for key, label in _COUNTS.items()}
    shown.update({label: counts[key] for key, label in _FAILURES.items() if counts.get(key)})
    rows = [f"{'replica status':<{_STATUS_WIDTH}}replica count"]
    rows += [f"{label:<{_STATUS_WIDTH}}{count}" for label, count in sorted(shown.items())]
    return "\n\n".join([apis(environment, [api]), _links(api), "\n".join(rows)])


def _links(api: Mapping[str, Any]) -> str:
    lines = [f"metrics dashboard: {api['dashboard_url']}"] if api.get("dashboard_url") else []
    return "\n".join([*lines, f"endpoint: {api['endpoint']}"])
