"""Measure the project against its budgets, in real processes: `make bench`.

S3 and SQS are an in-memory stand-in on the loopback interface, which counts the calls; the container answers at
once. Both share the machine with what is measured. Medians of several rounds; memory in millions of bytes.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import busy, scale
from bench.budgets import Line, judge, table
from bench.processes import Endpoint
from bench.run import Bench, Plan
from bench.usage import machine

_FILE = Path(".bench/bench.json")
_WORDS = {True: "yes", False: "NO", None: "not measured"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--endpoint-url", metavar="URL", help="S3 and SQS server to use instead of the stand-in")
    parser.add_argument("--latency-ms", type=float, default=5.0, help="added to each call under load (default: 5)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    parser.add_argument("--requests", type=int, default=3000, help="requests a round (default: 3000)")
    parser.add_argument("--quick", action="store_true", help="one short round of each, and no other sizes")
    parser.add_argument("--json", type=Path, default=_FILE, metavar="FILE", help=f"(default: {_FILE})")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    if arguments.quick:
        return Plan(arguments.endpoint_url, arguments.latency_ms, 1, 1000, 100, 256, scale=False)
    return Plan(
        arguments.endpoint_url, arguments.latency_ms, arguments.rounds, arguments.requests, 200, 1024, scale=True
    )


def main() -> int:
    """Run, print, write; 1 when a budget is missed."""
    arguments = _arguments()
    plan, file = _plan(arguments), arguments.json
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE"} & os.environ.keys():
        os.environ |= Endpoint.credentials
    with tempfile.TemporaryDirectory(prefix="cortex-bench-") as folder:
        bench = Bench(plan, Path(folder), say)
        asyncio.run(bench.run())
    lines = judge(bench.samples)
    _print(plan, lines, bench)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(_document(plan, lines, bench), indent=1) + "\n")
    print(f"\nwritten to {file}, after {time.monotonic() - began:.0f} s")
    return int(any(line.met is False for line in lines))


def _print(plan: Plan, lines: Sequence[Line], bench: Bench) -> None:
    about = machine()
    where = plan.url or f"the stand-in, {plan.latency_ms:g} ms added to each call under load"
    print(f"\n{about['cores']} cores of {about['cpu']}, Python {about['python']}; S3 and SQS: {where}\n")
    rows = [("measure", "budget", "measured", "met")]
    for line in lines:
        budget = line.budget
        limit = f"{'≥' if budget.at_least else '≤'} {budget.limit:,g} {budget.unit}".strip()
        measured = "-" if line.median is None else budget.shown(line.median)
        rows.append((budget.measure, limit, measured, _WORDS[line.met]))
    print(table(rows))
    if bench.points:
        print("\nCPU is that of all dispatchers, a request; peak is the highest memory of one of them\n")
        print(table(scale.rows(bench.points)))
    if bench.busy:
        print(
            "\nbusy is the share of the time in which slots were at work; prices are of the dispatcher's calls\n"
        )
        print(table(list(busy.rows(bench.busy))))


def _document(plan: Plan, lines: Sequence[Line], bench: Bench) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "plan": asdict(plan),
        "budgets": [
            {**asdict(line.budget), "median": line.median, "met": line.met, "samples": list(line.samples)}
            for line in lines
        ],
        "rounds": [asdict(measured) for measured in bench.rounds],
        "busy": [asdict(point) for point in bench.busy],
        "scale": [asdict(point) for point in bench.points],
    }


if __name__ == "__main__":
    sys.exit(main())
