"""The one rule, as a pure function (architecture, section 2): what a waiting execution does about its inbox.

*Waiting, and a wake condition satisfied: epoch + 1, a dispatch with exactly these rows.* The condition belongs to the
passive command: any match, all filters matched, a timer, the end of a child or of a container. There is no other path
from waiting to running.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from lowtide.model.command import Await, RunChild, RunContainer, Sleep
from lowtide.model.event import (
    CancelAsked,
    ChildEnded,
    EffectFailed,
    EffectSucceeded,
    Event,
    EventsReceived,
    Forked,
    TimerFired,
)
from lowtide.wire.types import Wake

from .nouns import Passive

__all__ = ["MOST_WAKES", "Cancel", "Decision", "Go", "Stay", "command_of", "decide", "is_satisfied"]

MOST_WAKES: Final = 500
"""How many wakes one dispatch carries; the rest stay in the inbox and satisfy the rule again at the next park."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Nothing that it waits for has happened completely."""


@dataclass(frozen=True, slots=True)
class Go:
    """Issue the next epoch with these wakes."""

    wakes: tuple[Wake, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """It was asked to cancel while nothing runs: it ends without an invocation."""

    reason: str


Decision: TypeAlias = Stay | Go | Cancel


def decide(commands: Sequence[Passive], wakes: Sequence[Wake], *, resume_now: bool = False) -> Decision:
    """What follows for a waiting execution with these pending commands and this inbox, in the order it arrived.

    Wakes of commands that are no longer pending change nothing and are not sent.
    """
    for wake in wakes:
        if isinstance(wake.event, CancelAsked):
            return Cancel(wake.event.reason)
    by_command: dict[str | None, list[Event | None]] = {command.id: [] for command in commands}
    relevant = [wake for wake in wakes if command_of(wake.event) in by_command]
    for wake in relevant:
        by_command[command_of(wake.event)].append(wake.event)
    if resume_now or any(is_satisfied(command, by_command[command.id]) for command in commands):
        return Go(tuple(relevant[:MOST_WAKES]))
    return Stay()


def is_satisfied(command: Passive, events: Iterable[Event | None]) -> bool:
    """Whether these events are what the command waits for."""
    match command:
        case Sleep():
            return any(isinstance(event, TimerFired) for event in events)
        case RunChild():
            return any(isinstance(event, ChildEnded) for event in events)
        case RunContainer():
            return any(isinstance(event, EffectSucceeded | EffectFailed) for event in events)
        case Await():
            matched = {
                received.filter for event in events if isinstance(event, EventsReceived) for received in event.events
            }
            if command.need == "any" or any(index < 0 for index in matched):
                return bool(matched)
            return matched >= {awaited.index for awaited in command.filters if awaited.index >= 0}
        case _:
            assert_never(command)


def command_of(event: Event | None) -> str | None:
    """The command that an event answers; ``None`` for those that answer none: a cancel, a fork."""
    return None if event is None or isinstance(event, CancelAsked | Forked) else event.command
