"""Events and listeners of one process, by the platform's rule (decision A-13).

What occurred is kept. A listener that correlates with a known value is shown what occurred since its execution began;
any other what occurred since its execution was last woken from rest: where the platform would have parked it, and
written it a new dispatch. One listener is given one event once, whose source and id tell it from others.

A wait rouses nobody here: it is passed in the process, as short ones are on the platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lowtide.engine import Host
from lowtide.engine.matching import is_asked, matches
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Await, AwaitFilter, Command
from lowtide.model.event import EventsReceived, Received
from lowtide.runtime.chance import uniform
from lowtide.runtime.clock import Clock

__all__ = ["Bus", "Hearer"]


class Hearer(Protocol):
    """An execution. ``born`` and ``roused`` are the numbers of events that had occurred by then."""

    id: ExecutionId
    born: int
    roused: int

    @property
    def pending(self) -> Mapping[str, Command]: ...

    def signal(self, key: str, event: EventsReceived) -> None: ...


Listener = tuple[ExecutionId, str]
"""An execution and the id of its command."""


class Bus:
    """``coming`` are events of the world: each occurs as soon as somebody listens for it, one after the other."""

    def __init__(self, host: Host, clock: Clock, coming: Sequence[dict[str, JSON]]) -> None:
        self._host, self._clock = host, clock
        self._coming = list(coming)
        self._kept: list[dict[str, JSON]] = []
        self._names: set[tuple[JSON, JSON]] = set()
        self._listeners: dict[Listener, tuple[Hearer, int]] = {}
        self._delivered: set[tuple[ExecutionId, str]] = set()
        self._sent: set[tuple[ExecutionId, str]] = set()

    @property
    def occurred(self) -> int:
        return len(self._kept)

    def publish(self, event: dict[str, JSON]) -> None:
        self._occur(event)
        self._carry()

    def listen(self, hearer: Hearer, commands: Sequence[Await]) -> None:
        """Open listeners together, or the same ones with other filters: those keep their place in time."""
        listeners = [(hearer.id, command.id) for command in commands]
        for listener in listeners:
            self._listeners.setdefault(listener, (hearer, hearer.roused))
        for number, event in enumerate(list(self._kept)):
            for listener in listeners:
                self._offer(listener, number, event)
        self._carry()

    def heard(self, execution: ExecutionId, keys: set[str] | None = None) -> None:
        """The execution has taken what was sent to it under these keys; ``None``: it takes nothing any more."""
        self._sent = {sent for sent in self._sent if sent[0] != execution or (keys is not None and sent[1] not in keys)}
        self._carry()

    def _carry(self) -> None:
        """Events of the world wait for each other: what the next one meets depends on what became of the last."""
        while not self._sent:
            event = next((event for event in self._coming if self._is_wanted(event)), None)
            if event is None:
                return
            self._coming.remove(event)
            self._occur(event)

    def _is_wanted(self, event: dict[str, JSON]) -> bool:
        return any(self._fitting(command.filters, command.need, event) for _, _, command in self._open())

    def _occur(self, event: dict[str, JSON]) -> None:
        name = (event.get("source"), event.get("id"))
        if name in self._names:
            return
        self._names.add(name)
        self._kept.append(event)
        for listener, _, _ in self._open():
            self._offer(listener, len(self._kept) - 1, event)

    def _open(self) -> list[tuple[Listener, Hearer, Await]]:
        found: list[tuple[Listener, Hearer, Await]] = []
        for listener, (hearer, _) in list(self._listeners.items()):
            command = hearer.pending.get(listener[1])
            if isinstance(command, Await):
                found.append((listener, hearer, command))
            else:
                del self._listeners[listener]
        return found

    def _offer(self, listener: Listener, number: int, event: dict[str, JSON]) -> None:
        hearer, since = self._listeners[listener]
        command = hearer.pending[listener[1]]
        assert isinstance(command, Await)
        wanted = [one for one in command.filters if number >= (hearer.born if one.is_correlated else since)]
        found = self._fitting(wanted, command.need, event)
        sent = (hearer.id, f"{command.id} {event.get('source')} {event.get('id')}")
        if not found or sent in self._delivered:
            return
        self._delivered.add(sent)
        self._sent.add(sent)
        received = tuple(Received(event, index) for index in found)
        at = self._clock.now()
        hearer.signal(sent[1], EventsReceived(command=command.id, events=received, at=at, random=uniform()))

    def _fitting(self, filters: Sequence[AwaitFilter], need: str, event: dict[str, JSON]) -> list[int]:
        found: list[int] = []
        for one in filters:
            if is_asked(need, one.index, found) and matches(one, event, self._host, now=self._clock.now()):
                found.append(one.index)
        return found
