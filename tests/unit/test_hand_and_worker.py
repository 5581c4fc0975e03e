"""What the dispatcher tells S3 and SQS of a request in hand, when they are slow or refuse."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, cast

import aiohttp
import pytest

from cortex_async.aws.sqs import Received
from cortex_async.config import parse
from cortex_async.dispatcher.exchange import Exchange, Reply
from cortex_async.dispatcher.hand import Hand, Held
from cortex_async.dispatcher.outcome import Attempts, NoAnswer, on_no_answer
from cortex_async.dispatcher.probes import Readiness
from cortex_async.dispatcher.receiver import Receiver
from cortex_async.dispatcher.worker import Worker
from cortex_async.errors import AwsUnavailable
from cortex_async.queue.message import Message
from cortex_async.queue.queue import Queue
from cortex_async.storage.store import Store
from support.api_document import api_document


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come, however slow this machine is."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (the fakes count, they know no events)
            await asyncio.sleep(0.01)


class FakeQueue:
    def __init__(self, extend: Callable[[float], Any] | None = None) -> None:
        self.released = self.deleted = self.sends = 0
        self.receives = 0
        self._extend = extend

    async def release(self, handle: str, delay_seconds: int, patience: float | None) -> None:
        self.released += 1

    async def delete(self, handle: str, patience: float | None) -> None:
        self.deleted += 1

    async def send(self, request_id: str, body: bytes, patience: float | None) -> None:
        self.sends += 1
        await asyncio.Event().wait()  # no answer

    async def receive(self, count: int, wait_seconds: int) -> list[Received]:
        self.receives += 1
        raise RuntimeError("a defect")

    async def extend(self, handle: str, patience: float) -> None:
        assert self._extend is not None
        await self._extend(patience)


class FakeStore:
    """Puts the sign of an attempt after each of `delays` in turn; fails while `failures` are left."""

    def __init__(
        self, delays: list[float], failures: int = 0, *, result_of_another: bool = False, dead_letter: bool = False
    ) -> None:
        self.delays = delays
        self.failures = failures
        self.result_of_another = result_of_another
        self.dead_letter = dead_letter
        self.deleted = 0
        self.signs: list[int] = []
        self.marks_begun = 0

    async def has_result(self, request_id: str, patience: float | None) -> bool:
        return self.result_of_another and bool(self.signs)  # that other attempt ends in the meantime

    async def is_dead_letter(self, request_id: str, patience: float | None) -> bool:
        return self.dead_letter

    async def delete_payload(self, request_id: str, patience: float | None) -> None:
        self.deleted += 1

    async def attempts_begun(self, request_id: str, patience: float | None) -> int:
        return 2

    async def mark_in_progress(self, request_id: str, attempt: int, patience: float | None) -> None:
        self.marks_begun += 1
        await asyncio.sleep(self.delays.pop(0))
        if self.failures:
            self.failures -= 1
            raise AwsUnavailable("PutObject", "503")
        self.signs.append(attempt)


class FakeExchange:
    """The connection breaks after some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def attempts(self, held: Held) -> Attempts:
        return Attempts(held.attempt, 3)

    async def run(self, held: Held) -> Reply:
        await asyncio.sleep(self._seconds)
        return Reply(on_no_answer(NoAnswer.BROKEN, self.attempts(held)))


def in_hand(
    queue: FakeQueue, visibility_seconds: int = 60, receive_count: int = 1, payload: bytes | None = b""
) -> tuple[Hand, Held]:
    hand = Hand(cast(Queue, queue), visibility_seconds)
    held = hand.take(Message("id", (), "", payload, 0), Received("message", "receipt", "", receive_count))
    assert held is not None
    return hand, held


def worker(hand: Hand, store: FakeStore, exchange: FakeExchange, letters: FakeQueue | None = None) -> Worker:
    dead_letters = cast(Queue, letters or FakeQueue())
    config = parse(api_document())
    return Worker(config, cast(Store, store), hand, dead_letters, cast(Exchange, exchange), lambda _: None)


async def test_a_sign_that_could_not_be_left_is_left_before_the_request_is_given_back() -> None:
    queue = FakeQueue()
    hand, held = in_hand(queue)
    store = FakeStore([0.1, 0], failures=1)
    await worker(hand, store, FakeExchange(0.3)).process(held)
    assert (store.signs, queue.released) == ([1], 1)


async def test_a_late_sign_does_not_count_an_attempt_that_a_shutdown_cut_short() -> None:
    queue = FakeQueue()
    hand, held = in_hand(queue)
    store = FakeStore([0.3, 0])
    processing = worker(hand, store, FakeExchange(60))
    task = asyncio.create_task(processing.process(held))
    await until(lambda: store.marks_begun == 1)
    task.cancel()
    await asyncio.wait({task})
    await processing.give_back(held, 60)
    assert (store.signs, queue.released) == ([1, 0], 1)


async def test_a_failed_attempt_counts_though_its_dead_letter_was_not_sent_before_a_shutdown() -> None:
    queue = FakeQueue()
    hand, held = in_hand(queue, receive_count=3)
    store = FakeStore([0, 0])
    letters = FakeQueue()
    processing = worker(hand, store, FakeExchange(0), letters)
    task = asyncio.create_task(processing.process(held))
    await until(lambda: letters.sends == 1)
    task.cancel()
    await asyncio.wait({task})
    await processing.give_back(held, 60)
    assert (store.signs, queue.released) == ([3], 1)


@pytest.mark.parametrize("dead_letter", [False, True])
async def test_no_dead_letter_when_another_attempt_has_a_result(dead_letter: bool) -> None:
    """And the payload stays when that result is a dead letter's, which refers to it."""
    queue = FakeQueue()
    hand, held = in_hand(queue, receive_count=3, payload=None)
    store = FakeStore([0], result_of_another=True, dead_letter=dead_letter)
    await asyncio.wait_for(worker(hand, store, FakeExchange(0)).process(held), 60)  # a letter would never be sent
    assert (queue.deleted, store.deleted) == (1, 0 if dead_letter else 1)


async def test_a_defect_neither_ends_the_receiving_nor_makes_it_spin() -> None:
    queue = FakeQueue()
    ready = Readiness((), cast(aiohttp.ClientSession, None))
    ready._ready.set()
    hand = Hand(cast(Queue, queue), 60)
    receiving = asyncio.create_task(Receiver(cast(Queue, queue), hand, ready, 4, 1, lambda _: None).run())
    await asyncio.sleep(0.5)
    assert queue.receives < 50
    await until(lambda: queue.receives > 1 or receiving.done())
    assert not receiving.done()
    receiving.cancel()


async def test_heartbeat_that_sqs_keeps_waiting_does_not_delay_the_next() -> None:
    began: list[float] = []

    async def silent(patience: float) -> None:
        began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(patience)
        raise AwsUnavailable("ChangeMessageVisibilityBatch", "no answer")

    hand, _ = in_hand(FakeQueue(silent), visibility_seconds=1)
    beating = asyncio.create_task(hand.heartbeat())
    await until(lambda: len(began) == 6)
    beating.cancel()
    # one that waits for the last makes every gap two intervals; a slow machine makes some gaps longer
    assert 0.9 < 3 * min(after - before for before, after in itertools.pairwise(began)) < 1.5


async def test_a_defect_does_not_end_the_heartbeat() -> None:
    calls = 0

    async def broken(_: float) -> None:
        nonlocal calls
        calls += 1
        raise RuntimeError("a defect")

    hand, _ = in_hand(FakeQueue(broken), visibility_seconds=0.3)  # type: ignore[arg-type]
    beating = asyncio.create_task(hand.heartbeat())
    await until(lambda: calls > 1 or beating.done())
    assert not beating.done()
    beating.cancel()
