"""The budgets, and how what was measured stands against them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Samples = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Budget:
    """One line of the table: `key` names the samples, `limit` is met by at most (or `at_least`) that much."""

    key: str
    measure: str
    limit: float
    unit: str
    at_least: bool = False
    digits: int = 2

    def is_met(self, value: float) -> bool:
        """Compare as printed, so that the table never seems to contradict itself."""
        rounded = round(value, self.digits)
        return rounded >= self.limit if self.at_least else rounded <= self.limit

    def shown(self, value: float) -> str:
        """Return a value with its unit."""
        return f"{value:,.{self.digits}f} {self.unit}".strip()


BUDGETS = (
    Budget("s3_put", "S3 PUT calls a request", 1, ""),
    Budget("s3_get", "S3 GET calls a request (its poll)", 1, ""),
    Budget("sqs", "SQS calls a request", 0.4, ""),
    Budget("dollars", "list price of a million requests", 6.6, "$"),
    Budget("dispatcher_cpu", "dispatcher CPU a request", 0.6, "ms"),
    Budget("submit_cpu", "gateway CPU a submit", 0.35, "ms"),
    Budget("poll_cpu", "gateway CPU a poll of a finished request", 0.4, "ms"),
    Budget("dispatched", "dispatcher throughput, max_concurrency 100", 1500, "/s", at_least=True, digits=0),
    Budget(
        "busy_50", "busy, of what is possible: 50 ms of work, 1 to 16 slots, 15 and 40 ms a call", 97, "%", True, 1
    ),
    Budget("busy_20", "busy, of what is possible: 20 ms of work, the same", 90, "%", True, 1),
    Budget("idle_beside_long", "idle before each request of 10 s of work, one pod and four", 0.1, "s"),
    Budget("dollars_long", "list price of a million of 10 s, one slot: the dispatcher's calls", 12, "$"),
    Budget("sqs_one_slot", "SQS calls a request, one slot, up to 50 ms of work", 0.4, ""),
    Budget("delay_p99", "submit to container, idle API, p99", 10, "ms", digits=1),
    Budget("dispatcher_idle_memory", "memory of an idle dispatcher", 45, "MB", digits=1),
    Budget("gateway_idle_memory", "memory of an idle gateway", 45, "MB", digits=1),
    Budget("dispatcher_peak_memory", "peak memory of the dispatcher, large payload", 100, "MB", digits=1),
    Budget("gateway_peak_memory", "peak memory of the gateway, large payload", 100, "MB", digits=1),
    Budget("dispatcher_start", "dispatcher, start to ready", 0.8, "s"),
    Budget("gateway_start", "gateway, start to ready", 0.8, "s"),
    Budget("start_cpu_ratio", "CPU of a start, of what importing aiohttp.web takes alone", 1.3, "times"),
    Budget("large_submit_100", "submit of 100 MiB, of what boto3 takes to upload it to S3 itself", 1, "times"),
    Budget("large_submit_1024", "submit of 1 GiB, the same", 1, "times"),
    Budget("outage_first", "from the end of 20 s without SQS to a request's begin", 1, "s"),
    Budget("outage_longer", "the rest of 200 requests, longer than without the outage", 5, "s"),
    Budget("kill_again", "from a dispatcher's end to its request's second begin", 31, "s", digits=1),
    Budget("lint", "lint of 100 values files", 10, "s", digits=1),
    Budget("idle_calls", "calls of an idle pod a minute", 3, "", digits=1),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One budget and the median of its samples; `met` is None when nothing was measured."""

    budget: Budget
    samples: Sequence[float]

    @property
    def median(self) -> float | None:
        return statistics.median(self.samples) if self.samples else None

    @property
    def met(self) -> bool | None:
        return None if self.median is None else self.budget.is_met(self.median)


def judge(samples: Samples) -> list[Line]:
    """Put what was measured beside its budget."""
    return [Line(budget, samples.get(budget.key, ())) for budget in BUDGETS]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
