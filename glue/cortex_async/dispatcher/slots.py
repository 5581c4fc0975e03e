"""The container's slots: who is in it, and who waits for it, so that suspects stay apart (suspicion.py)."""

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Guest = TypeVar("Guest", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Visit:
    number: int
    met_others: bool  # when it began


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Guest]):
    guest: Guest
    turn: asyncio.Future[bool]
    alone: bool = False


class Slots(Generic[Guest]):
    """At most `maximum` guests have a slot, in order of arrival; one suspect at a time, and some of those alone.

    A suspect goes before all others, since nobody waits long while it is alone.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._inside: dict[Guest, _Visit] = {}
        self._visits = 0
        self._suspect: _Waiting[Guest] | None = None  # inside
        self._suspects: deque[_Waiting[Guest]] = deque()
        self._others: deque[_Waiting[Guest]] = deque()

    @property
    def taken(self) -> int:
        """How many guests have a slot."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        """How many wait for one, but for suspects."""
        return len(self._others)

    @property
    def suspects_waiting(self) -> int:
        """How many suspects wait."""
        return len(self._suspects)

    @property
    def is_closed(self) -> bool:
        """Whether a suspect is alone inside, or waits to be."""
        first = self._suspect or (self._suspects[0] if self._suspects else None)
        return first is not None and first.alone

    async def take(self, guest: Guest, seconds: float) -> bool:
        """Wait for a slot; False when none got free in time, or nobody is to wait any more."""
        if not self._others and not self._suspects and len(self._inside) < self._maximum and not self.is_closed:
            self._go_in(guest)
            return True
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Guest] = _Waiting(guest, loop.create_future())
        self._others.append(waiting)
        timer = loop.call_later(seconds, _refuse, waiting.turn)
        try:
            return await self._turn(waiting, self._others)
        finally:
            timer.cancel()

    async def take_apart(self, guest: Guest, *, alone: bool) -> bool:
        """Wait, as long as it takes, until no other suspect is inside; with `alone`, until nobody is.

        A slot that the guest has is given back meanwhile. False when nobody is to wait any more.
        """
        waiting = _Waiting(guest, asyncio.get_running_loop().create_future(), alone)
        self._suspects.append(waiting)
        self.give_back(guest)
        return await self._turn(waiting, self._suspects)

    def give_back(self, guest: Guest) -> None:
        """Let a guest leave, and others in."""
        self._inside.pop(guest, None)
        if self._suspect is not None and guest is self._suspect.guest:
            self._suspect = None
        self._admit()

    def refuse_all(self) -> None:
        """Let nobody wait any more."""
        for waiting in (*self._others, *self._suspects):
            _refuse(waiting.turn)

    def had_company(self, guest: Guest) -> bool:
        """Whether any other had a slot at some time since this guest has had one, which it still has."""
        visit = self._inside.get(guest)
        return visit is not None and (visit.met_others or visit.number < self._visits)

    async def _turn(self, waiting: _Waiting[Guest], line: deque[_Waiting[Guest]]) -> bool:
        self._admit()
        try:
            return await waiting.turn
        except asyncio.CancelledError:
            self.give_back(waiting.guest)
            raise
        finally:
            if waiting in line:
                line.remove(waiting)
                self._admit()

    def _admit(self) -> None:
        """Let in whoever may go in now."""
        while self._suspects and self._suspect is None:
            first = self._suspects[0]
            if self._inside and (first.alone or len(self._inside) >= self._maximum):
                return  # it goes first
            self._suspects.popleft()
            if not first.turn.done():
                self._suspect = first
                self._go_in(first.guest)
                first.turn.set_result(True)
        while self._others and len(self._inside) < self._maximum and not self.is_closed:
            other = self._others.popleft()
            if not other.turn.done():
                self._go_in(other.guest)
                other.turn.set_result(True)

    def _go_in(self, guest: Guest) -> None:
        self._visits += 1
        self._inside[guest] = _Visit(self._visits, bool(self._inside))


def _refuse(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
