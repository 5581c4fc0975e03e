"""A real Prometheus (Debian's package), and what it answers."""

import json
import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.processes import Process, free_port, wait_until

SCRAPE_SECONDS = 1
RATE_INTERVAL = f"{10 * SCRAPE_SECONDS}s"
"""What Grafana would put in the place of $__rate_interval is four scrapes at the least."""

_SELECTOR = re.compile(r'[a-zA-Z_:][\w:]*\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}')


@dataclass(frozen=True)
class Target:
    """What is scraped, and the labels that a cluster's Prometheus gives it."""

    port: int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Series:
    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


class Prometheus:
    def __init__(self, folder: Path, targets: Sequence[Target], rules: Mapping[str, Any]) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise SystemExit("dashboard-check needs Prometheus: apt-get install prometheus")
        folder.mkdir()
        (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
        jobs = [
            {
                "job_name": f"target-{number}",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{each.port}"], "labels": dict(each.labels)}],
            }
            for number, each in enumerate(targets)
        ]
        every = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"}
        document = {"global": every, "rule_files": ["rules.yaml"], "scrape_configs": jobs}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(document))
        self._url = f"http://127.0.0.1:{(port := free_port())}/api/v1"
        argv = [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
        self.process = Process("prometheus", [*argv, f"--web.listen-address=127.0.0.1:{port}"], folder)
        wait_until("prometheus", self._answers, self.process)

    def range(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate a query over time; points are times (epoch seconds) and values."""
        found = self._ask("query_range", query=query, start=start, end=end, step=step)["result"]
        return [
            Series(each["metric"], [(float(at), float(value)) for at, value in each["values"]]) for each in found
        ]

    def has(self, selector: str) -> bool:
        """Whether there was any series that the selector matches in the last minutes."""
        return bool(self._ask("query", query=f"count(last_over_time({selector}[10m]))")["result"])

    def rules(self) -> list[dict[str, Any]]:
        """The alerts, each with its health and its state."""
        return [each for group in self._ask("rules")["groups"] for each in group["rules"]]

    def down(self) -> list[str]:
        """Targets that could not be scraped the last time, and why."""
        active = self._ask("targets")["activeTargets"]
        return [f"{each['scrapeUrl']}: {each['lastError']}" for each in active if each["health"] != "up"]

    def _answers(self) -> bool:
        try:
            self._ask("status/runtimeinfo")
        except OSError:
            return False
        return True

    def _ask(self, path: str, **words: Any) -> Any:
        url = f"{self._url}/{path}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)["data"]


def selectors(expression: str) -> list[str]:
    """The selectors of an expression, each a name with labels."""
    return _SELECTOR.findall(expression)
