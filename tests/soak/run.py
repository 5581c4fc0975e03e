"""One soak from start to end, with nothing of it left afterwards."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from soak import usage
from soak.load import Load
from support.processes import Emulator, Process, wait_until
from support.stack import Stack

_IDLE_SECONDS = 60.0  # after that a process has closed the connections that it keeps
_QUIET_SECONDS = 3.0
_DRAIN_SECONDS = 120.0
_PODS = 2
_ROUNDS = 12


@dataclass(frozen=True)
class Options:
    """How long all rounds of load take together, and how many clients of each kind there are."""

    minutes: float = 5.0
    clients: int = 8


async def run(options: Options, folder: Path, say: Callable[[str], None]) -> bool:
    """Run, say the figures, and return whether nothing grew and nothing was wrong."""
    emulator = Emulator(folder)
    os.environ.update(emulator.credentials)  # for provisioning, which runs in this process
    stack = Stack(emulator, folder, {"pod": {"maxConcurrency": 16}})
    try:
        stack.provision()
        stack.web_server()
        watched = [("gateway", stack.gateway(), stack.gateway_admin_port)]
        for number in range(_PODS):
            watched.append((f"dispatcher {number + 1}", stack.dispatcher(), stack.admin_port))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            return await _watch(options, stack, watched, http, say)
    finally:
        stack.stop()
        emulator.process.kill()


async def _watch(
    options: Options,
    stack: Stack,
    watched: list[tuple[str, Process, int]],
    http: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> bool:
    async def look() -> list[usage.Usage]:
        return [await usage.read(process.pid, port, http) for _, process, port in watched]

    load = Load(stack)
    began = time.monotonic()
    before = await look()
    rounds = []
    for number in range(_ROUNDS):
        await load.round(options.clients, options.minutes * 60 / _ROUNDS)
        await _until_quiet(stack)
        rounds.append(await look())
        ended = load.counts["completed"] + load.counts["failed"] + load.counts["submitted, and waited for"]
        held = ", ".join(
            f"{name} {each.memory:.1f} MiB" for (name, _, _), each in zip(watched, rounds[-1], strict=True)
        )
        say(f"… round {number + 1} of {_ROUNDS}: {ended} requests, {held}")
    await asyncio.sleep(_IDLE_SECONDS)
    after = await look()
    grown = []
    for number, (name, _, _) in enumerate(watched):
        say(f"{name:<14} before    {before[number]}")
        for which, at in (("round 3", 2), (f"round {_ROUNDS}", _ROUNDS - 1)):
            say(f"{name:<14} {which:<9} {rounds[at][number]}")
        say(f"{name:<14} idle      {after[number]}")
        history = [each[number] for each in rounds]
        grown += [f"{name}: {each}" for each in usage.growth(before[number], history, after[number])]
    for text, count in sorted(load.counts.items()):
        say(f"{text:<30} {count}")
    say(f"{time.monotonic() - began:.0f} s, grown: {len(grown)}, wrong: {len(load.wrong)}")
    for problem in [*grown, *load.wrong[:20]]:
        say(f"  {problem}")
    return not grown and not load.wrong


async def _until_quiet(stack: Stack) -> None:
    """Wait until the queue is empty, and a little longer."""
    await asyncio.to_thread(
        wait_until, "the queue to be empty", lambda: not any(stack.queue_depth()), timeout=_DRAIN_SECONDS
    )
    await asyncio.sleep(_QUIET_SECONDS)
