"""What a run left behind, and the report."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from chaos.load import Tally
from chaos.stack import ChaosStack


@dataclass(frozen=True)
class Left:
    """What is in the bucket and in the queues when the run is over."""

    results: dict[str, str]
    payloads: set[str]
    messages: tuple[int, int]
    dead_letters: Counter[str]
    uploads: int
    started: Counter[str]


async def settle(stack: ChaosStack, within: float) -> None:
    """Wait until the queue is empty: messages of killed dispatchers come back and find their result."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not any(await asyncio.to_thread(stack.queue_depth)):
            return
        await asyncio.sleep(0.5)


def look(stack: ChaosStack) -> Left:
    """Look at the bucket and the queues, past the proxy."""
    objects = [name.split("/") for name in stack.objects()]
    return Left(
        results=stack.results(),
        payloads={request_id for request_id, what in objects if what == "payload"},
        messages=stack.queue_depth(),
        dead_letters=Counter(stack.dead_letter_ids()),
        uploads=stack.uploads(),
        started=Counter(stack.started()),
    )


@dataclass(frozen=True)
class Verdict:
    """The figures that have to be zero, each with what it counts."""

    lost: list[str]
    wrong: list[str]
    left: list[str]

    @property
    def holds(self) -> bool:
        return not (self.lost or self.wrong or self.left)


def judge(tally: Tally, left: Left, other_faults: list[str], total: int) -> Verdict:
    """Compare what the client saw with what is left."""
    accepted = tally.accepted
    lost = [f"{request_id}: no result was seen" for request_id in tally.without_result]
    lost += [f"{request_id}: no result is in the bucket" for request_id in accepted.keys() - left.results.keys()]
    if len(accepted) < total:
        lost.append(f"only {len(accepted)} of {total} requests were submitted in time")
    wrong = [*tally.wrong, *other_faults]
    for request_id, seen in accepted.items():
        found = left.results.get(request_id)
        if seen and found and seen != found:
            wrong.append(f"{request_id}: its result was changed after it had been seen")
    wrong += [
        f"{each}: it began after its cancellation was confirmed"
        for each in tally.never_begun & left.started.keys()
    ]
    leftovers = [f"payload of {request_id}" for request_id in left.payloads & accepted.keys()]
    # A payload whose POST was refused stays when its message was not sent; with a result it should be gone.
    leftovers += [f"payload of {each}, which has a result" for each in left.payloads & left.results.keys()]
    if any(left.messages):
        leftovers.append(f"messages in the queue: {left.messages[0]}, and in flight: {left.messages[1]}")
    leftovers += [f"dead letter of {each}" for each in left.dead_letters.keys() - tally.culprits]
    lost += [
        f"{each}: it was given up and is no dead letter" for each in tally.culprits - left.dead_letters.keys()
    ]
    return Verdict(lost, wrong, leftovers)


def report(
    tally: Tally,
    left: Left,
    verdict: Verdict,
    kills: Counter[str],
    counts: dict[str, Any],
    seconds: float,
    memory: str,
) -> str:
    """The text that a run ends with."""
    accepted = tally.accepted.keys()
    repeated = sum(times - 1 for times in left.started.values())
    calls, faults = sum(counts["calls"].values()), sum(counts["faults"].values())
    lines: list[tuple[str, Any]] = [
        ("requests accepted", f"{len(accepted)} in {seconds:.0f} s"),
        *sorted(tally.counts.items()),
        ("kills of dispatchers", kills["SIGKILL"] + kills["SIGTERM"]),
        *kills.items(),
        ("calls to S3 and SQS", calls),
        ("faults injected", f"{faults} ({100 * faults / max(1, calls):.1f} % of the calls)"),
        *sorted(counts["faults"].items()),
        ("messages delivered again by the proxy", counts["repeated"]),
        ("duplicates processed", repeated),
        ("ids the client never got, with a result", len(left.results.keys() - accepted)),
        ("ids the client never got, payload only", len(left.payloads - accepted - left.results.keys())),
        ("multipart uploads left to the lifecycle rule", left.uploads),
        ("requests that kill their container, all failed", len(tally.culprits)),
        ("cancelled", len(tally.cancelled)),
        ("of those, not begun when that was confirmed", len(tally.never_begun)),
        ("memory", memory),
        *(("slowest good requests", f"{took:.1f} s {each} {query}") for took, each, query in tally.slowest),
        ("left over", len(verdict.left)),
        ("lost", len(verdict.lost)),
        ("wrong", len(verdict.wrong)),
    ]
    text = "\n".join(f"{name:<46} {value}" for name, value in lines)
    problems = [*verdict.lost, *verdict.wrong, *verdict.left]
    return "\n".join([text, *(f"  {problem}" for problem in problems[:50])])
