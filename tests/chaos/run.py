"""One chaos run from start to end, with nothing of it left afterwards."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from chaos.audit import judge, look, report, settle
from chaos.killer import Killer
from chaos.load import Load
from chaos.stack import ChaosStack
from chaos.webhooks import Receiver, receiving
from support.processes import Emulator

_SETTLE_SECONDS = 90.0
_TELL_SECONDS = 420.0  # one whose first receive was lost and whose first try was refused waits for 5 min


@dataclass(frozen=True)
class Options:
    """What a run does; times in seconds, the fault rate as a share of 1."""

    requests: int = 20_000
    kill_interval: float = 3.0
    fault_rate: float = 0.1
    seed: str = "1"
    dispatchers: int = 3
    concurrency: int = 256
    crash_every: int = 1_000
    refuse_every: int = 20
    deadline: float = 1800.0


async def run(options: Options, folder: Path, say: Callable[[str], None]) -> bool:
    """Run, say the report, and return whether nothing was lost, wrong or left over."""
    emulator = Emulator(folder)
    stack = None
    try:
        stack = ChaosStack(emulator, folder, options.seed)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120)
            ) as http,
            receiving(options.refuse_every) as receiver,
        ):
            return await _run(options, stack, http, receiver, say)
    finally:
        if stack is not None:
            stack.stop()
        emulator.process.kill()


async def _run(
    options: Options,
    stack: ChaosStack,
    http: aiohttp.ClientSession,
    receiver: Receiver,
    say: Callable[[str], None],
) -> bool:
    stack.provision()
    stack.gateway()
    await http.post(f"{stack.proxy_admin}/rate?value={options.fault_rate}")
    killer = Killer(stack, http, options.seed, options.kill_interval)
    killer.start(options.dispatchers)
    began = time.monotonic()
    load = Load(
        stack.url,
        http,
        options.seed,
        options.requests,
        began + options.deadline,
        options.crash_every,
        stack.started,
        receiver.url,
    )
    async with _beside(killer.restart()):
        async with _beside(killer.run(), _tell(load, killer, say)):
            await load.run(options.concurrency)
        seconds = time.monotonic() - began
        await settle(stack, _SETTLE_SECONDS)
        untold = await receiver.settle(load.tally.told, _TELL_SECONDS, stack.queued_webhooks)
    killer.check()
    async with http.get(f"{stack.proxy_admin}/counts") as response:
        counts = await response.json()
    left = await asyncio.to_thread(look, stack)
    memory, too_much = stack.memory()
    verdict = judge(load.tally, left, [*killer.bad_exits, *too_much, *untold], options.requests)
    load.tally.counts["requests whose webhook was to come"] = len(load.tally.told)
    load.tally.counts.update(receiver.counts)
    say(report(load.tally, left, verdict, killer.counts, counts, seconds, memory))
    return verdict.holds


@asynccontextmanager
async def _beside(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these meanwhile, and cancel them at the end."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _tell(load: Load, killer: Killer, say: Callable[[str], None]) -> None:
    """Say every ten seconds how far it is."""
    while True:
        await asyncio.sleep(10)
        tally = load.tally
        done = len(tally.accepted) - len(tally.without_result)
        kills = killer.counts["SIGKILL"] + killer.counts["SIGTERM"]
        say(f"… {done} results, {kills} kills, {len(tally.wrong)} wrong")


def run_in_temporary_folder(options: Options, say: Callable[[str], None], *, keep: bool = False) -> bool:
    """Run with all files in a folder that is removed, unless something was wrong or it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="cortex-chaos-"))
    holds = asyncio.run(run(options, folder, say))
    if holds and not keep:
        shutil.rmtree(folder)
    else:
        say(f"the logs are in {folder}")
    return holds
