"""Receiving: a failure or a pod that is not ready stops new receives, never what open ones still bring."""

import asyncio
import random

import pytest

from cortex_async import limits
from cortex_async.dispatcher.receiver import Receiver
from cortex_async.errors import AwsUnavailable
from support.dispatching import Switch, in_flight, receiver
from support.memory import MemoryQueue
from support.virtual_clock import never, on_virtual_clock, settled


class Listener:
    """Takes what a receiver yields, without processing it."""

    def __init__(self, of: Receiver) -> None:
        self.bodies: list[str] = []
        self.task = asyncio.create_task(self._take(of))

    async def _take(self, of: Receiver) -> None:
        async for received in of.messages():
            self.bodies.append(received.body)


def listening(queue: MemoryQueue, readiness: Switch) -> Listener:
    return Listener(receiver(queue, in_flight(queue), readiness))


@on_virtual_clock
async def test_a_defect_neither_ends_the_receiving_nor_makes_it_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)

    async def broken() -> None:
        raise RuntimeError("a defect")

    queue = MemoryQueue(before={"receive": broken})
    listener = listening(queue, Switch())
    await asyncio.sleep(600)
    assert 1 < len(queue.calls) < 20 + 600 / limits.RECEIVE_PAUSE_SECONDS  # the first pauses are shorter
    assert not listener.task.done()
    del queue.before["receive"]
    queue.put("after")
    await asyncio.sleep(60)
    assert listener.bodies == ["after"]


@on_virtual_clock
async def test_what_another_receive_brings_is_delivered_while_it_pauses_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)  # it always pauses
    begun = 0
    fails, brings = asyncio.Event(), asyncio.Event()

    async def before() -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            await fails.wait()
            raise AwsUnavailable("ReceiveMessage", "503")
        if begun == 3:
            await brings.wait()
        elif begun > 3:
            await never()

    queue = MemoryQueue(before={"receive": before})
    for number in range(10):  # a full batch: more than one receive is opened then
        queue.put(str(number))
    listener = listening(queue, Switch())
    await settled()
    assert len(listener.bodies) == 10
    opened = begun
    assert opened >= 3
    fails.set()
    await settled()
    assert begun == opened  # it pauses
    queue.put("while it pauses")
    brings.set()
    await settled()
    assert listener.bodies[10:] == ["while it pauses"]
    assert (begun, asyncio.get_running_loop().time()) == (opened, 0)


@on_virtual_clock
async def test_what_open_receives_bring_is_delivered_while_the_pod_is_not_ready() -> None:
    queue, readiness = MemoryQueue(), Switch()
    for number in range(10):  # a full batch: more than one receive is opened then
        queue.put(str(number))
    listener = listening(queue, readiness)
    await settled()
    opened = len(queue.calls)
    assert opened >= 3
    readiness.switch(ready=False)
    for body in ("late", "later"):
        queue.put(body)
        await settled()
        assert listener.bodies[-1] == body
    await asyncio.sleep(600)
    assert len(queue.calls) == opened
    readiness.switch(ready=True)
    await settled()
    assert len(queue.calls) > opened
