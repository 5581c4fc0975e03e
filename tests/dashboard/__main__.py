"""Run an API under load, let a real Prometheus scrape it, and ask it all that the dashboard and the alerts ask.

Fails when a panel is empty, a line never leaves 0, or an alert cannot be evaluated or asks for what nobody has.
`python -m dashboard FILE.svg` also draws the panels.
"""

import asyncio
import contextlib
import json
import math
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from chart.helm_cli import Helm, Object, minimal
from chart.objects import find
from dashboard.cluster import Exporters
from dashboard.load import load
from dashboard.picture import Panel, draw
from dashboard.prometheus import RATE_INTERVAL, Prometheus, Series, Target, selectors
from support.processes import Emulator, free_port, wait_until
from support.stack import Client, Stack

LOAD_SECONDS = 60.0
STEP_SECONDS = 2.0
NAMESPACE = "default"
CHANGES = {"queue": {"maxAttempts": 2}, "scaling": {"windowSeconds": 10}}
AT_ZERO = {
    # lines that may stay at 0 all the time, and why
    "given back on shutdown": "a pod that gives requests back ends before the next scrape",
}


@dataclass(frozen=True)
class Line:
    """One query of a panel."""

    panel: str
    unit: str
    legend: str
    query: str


class Run:
    """The processes of one run; the two dispatchers stand for two pods, and share one container."""

    def __init__(self, folder: Path) -> None:
        self.emulator = Emulator(folder)
        self.stack = Stack(self.emulator, folder, CHANGES)
        self.exporters = Exporters(NAMESPACE, f"api-{self.stack.name}")
        self.targets: list[Target] = []
        self.pods = [f"api-{self.stack.name}-7d4b9c6f5-{each}" for each in ("b7k2p", "q9w4z")]

    def start(self) -> None:
        """Start all but the web server; the gateway first, which waits for the queue as after an installation."""
        stack = self.stack
        gateway = stack.command("gateway")
        wait_until("the gateway to wait", lambda: "waiting for the queue" in gateway.log, gateway)
        stack.provision()
        self.web = stack.web_server()
        stack.wait_ready(stack.gateway_port, gateway)
        self._scraped(stack.gateway_admin_port, f"api-{stack.name}-gateway-6f7c8d9b5-x2x4q")
        for pod in self.pods:
            dispatcher = stack.dispatcher()
            self._scraped(stack.admin_port, pod)
            self.exporters.containers[pod, "dispatcher"] = dispatcher.pid
        self._web_server_runs()

    def _web_server_runs(self) -> None:
        for pod in self.pods:
            self.exporters.containers[pod, "web"] = self.web.pid

    def _scraped(self, port: int, pod: str) -> None:
        labels = {"namespace": NAMESPACE, "pod": pod, "api_name": self.stack.name}
        self.targets.append(Target(port, labels))

    async def keep_web_server(self) -> None:
        """Start the web server again when it died, as the kubelet does."""
        while True:
            await asyncio.sleep(0.2)
            if not self.web.is_running():
                self.web = await asyncio.to_thread(self.stack.web_server)
                self._web_server_runs()

    def stop(self) -> None:
        self.stack.stop()
        self.emulator.process.kill()


def rendered(name: str) -> list[Object]:
    """The chart's objects for the API that runs."""
    parts = ("rules", "dashboard")
    values = minimal(
        name=name, monitoring={part: {"enabled": True} for part in parts}, autoscaling={"engine": "keda"}
    )
    return Helm.of_version("4.3.1").template(values, namespace=NAMESPACE)


def lines(objects: Sequence[Object], name: str) -> Iterator[Line]:
    """All queries of the dashboard."""
    (text,) = find(objects, "ConfigMap", f"api-{name}-dashboard")["data"].values()
    for panel in json.loads(text)["panels"]:
        unit = panel["fieldConfig"]["defaults"].get("unit", "")
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
            yield Line(panel["title"], unit, target["legendFormat"], query)


async def serve(exporters: Exporters, port: int) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/metrics", exporters.metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def loaded(run: Run, exporters_port: int) -> None:
    """Load the API for a minute."""
    runner = await serve(run.exporters, exporters_port)
    keeping = asyncio.create_task(run.keep_web_server())
    try:
        async with aiohttp.ClientSession() as http:
            await load(Client(run.stack, http), LOAD_SECONDS)
        await asyncio.sleep(3)  # so that the end is scraped too
    finally:
        keeping.cancel()
        await runner.cleanup()


def judged(line: Line, found: Sequence[Series]) -> str | None:
    """What is wrong with the answer to a query."""
    values = [value for each in found for _, value in each.points if math.isfinite(value)]
    if len(values) < 5:
        return f"{line.panel}, {line.legend}: empty: {line.query}"
    if max(values) <= 0 and line.legend not in AT_ZERO:
        return f"{line.panel}, {line.legend}: always {max(values):g}: {line.query}"
    return None


def alerts_wrong(prometheus: Prometheus) -> Iterator[str]:
    for each in prometheus.rules():
        if each["health"] != "ok":
            yield f"{each['name']}: {each['health']}: {each.get('lastError')}"
        for selector in selectors(each["query"]):
            if not prometheus.has(selector):
                yield f"{each['name']}: nothing has {selector}"


def legend(text: str, labels: Mapping[str, str], name: str) -> str:
    """Fill a legend in as Grafana does."""
    filled = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), text).strip()
    return filled.replace(name, "hello")


def check(
    run: Run, prometheus: Prometheus, objects: Sequence[Object], began: float
) -> tuple[list[str], list[Panel]]:
    """Ask everything since `began`; return what is wrong, and the panels with their data."""
    wrong = prometheus.down()
    end = time.time()
    panels: dict[str, Panel] = {}
    for line in lines(objects, run.stack.name):
        found = prometheus.range(line.query, began, end, STEP_SECONDS)
        if problem := judged(line, found):
            wrong.append(problem)
        drawn = [(legend(line.legend, each.labels, run.stack.name), each) for each in found]
        before = panels[line.panel].lines if line.panel in panels else ()
        panels[line.panel] = Panel(line.panel, line.unit, [*before, *drawn])
    return [*wrong, *alerts_wrong(prometheus)], list(panels.values())


def main(pictures: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        run = Run(folder)
        stack.callback(run.stop)
        for key, value in run.emulator.credentials.items():
            patch.setenv(key, value)
        run.start()
        port = free_port()
        objects = rendered(run.stack.name)
        rules = find(objects, "PrometheusRule")["spec"]
        prometheus = Prometheus(folder / "prometheus", [*run.targets, Target(port, {})], rules)
        stack.callback(prometheus.process.kill)
        began = time.time()
        asyncio.run(loaded(run, port))
        wrong, panels = check(run, prometheus, objects, began)
        for each in prometheus.rules():
            print(f"{each['name']:<25} {each['state']}")
        for file in pictures:
            Path(file).write_text(draw(panels, began, time.time()))
    for problem in wrong:
        print(problem, file=sys.stderr)
    count = sum(len(panel.lines) for panel in panels)
    print(f"{len(panels)} panels, {count} lines, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
