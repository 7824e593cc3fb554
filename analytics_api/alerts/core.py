"""What becomes of an alert when somebody looks: state and verdict in, state and changes out. Pure.

    ok ──breached──▶ pending ──for so long──▶ firing ──cleared for so long──▶ ok
                        └──not breached──▶ ok

Between *breached* and *cleared* lies a band (hysteresis): in it nothing begins, and what fires goes on firing, so that
a value which wavers at its limit does not make an alert flap. An alert that fires is told of once, and so is its end,
to those who were told that it fires.

Time comes from outside. Looking twice at the same moment changes nothing, nor does looking late at an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec

from lowtide.model.base import Millis, Noun

__all__ = ["LATE", "Change", "Memory", "Phase", "Terms", "Verdict", "look"]

Phase: TypeAlias = Literal["ok", "pending", "firing"]
Change: TypeAlias = Literal["begun", "passed", "fired", "told", "resolved"]
"""``begun``: pending. ``passed``: it never fired. ``told``: say that it fires, to whoever wants to know."""

LATE: Final = 300_000
"""Milliseconds. By so much may a tick be late without anything to be thought of it. A clock that stands further back
was wrong before; and who was not looked at for longer than this (and three times its rhythm) was not watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Milliseconds. ``lasting``: for how long it must be breached until it fires; ``calm``: for how long cleared until
    it is over; ``every``: how often somebody looks. ``keep``: without data nothing changes, else it is cleared."""

    lasting: int = 0
    calm: int = 0
    every: int = 60_000
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says of one group now; ``empty``: there is no value to say anything of."""

    breached: bool
    cleared: bool
    value: float | None = None
    why: str = ""
    empty: bool = False


class Memory(Noun, frozen=True, kw_only=True):
    """What is remembered of one group of a rule.

    ``since`` is when the breach began (pending, firing), ``clear`` since when it is cleared although it fires.
    ``told``: somebody was told that it fires. ``seen``: when there was data of it, by the hour. ``alert``:
    the alert's id.
    """

    phase: Phase = "ok"
    since: Millis | None = None
    clear: Millis | None = None
    told: bool = False
    seen: Millis = Millis(0)
    alert: str | None = None


def look(
    memory: Memory, verdict: Verdict, at: Millis, looked: Millis | None, terms: Terms, *, silent: bool = False
) -> tuple[Memory, tuple[Change, ...]]:
    """The state after a look at moment ``at``; ``looked`` is the moment of the last one. ``silent``: nobody is told."""
    if looked is not None and 0 <= looked - at <= LATE:
        return memory, ()
    memory = _sound(memory, at, looked, terms)
    if verdict.empty and terms.keep:
        return _tell(memory, (), silent)
    if verdict.breached and not verdict.empty:
        return _tell(*_breached(memory, at, terms), silent)
    if memory.phase == "pending":
        return _ok(memory), ("passed",)
    if memory.phase == "ok":
        return memory, ()
    return _tell(*_better(memory, at, terms, cleared=verdict.cleared or verdict.empty), silent)


def _sound(memory: Memory, at: Millis, looked: Millis | None, terms: Terms) -> Memory:
    """Without what cannot be relied on: moments of a clock that was wrong, spans in which nobody looked."""
    if looked is None or memory.phase == "ok":
        return memory
    unwatched = at - looked > max(LATE, 3 * terms.every)
    since = at if memory.since is None or memory.since > at else memory.since
    if unwatched and memory.phase == "pending":
        since = at
    clear = None if unwatched or (memory.clear is not None and memory.clear > at) else memory.clear
    return _with(memory, since=since, clear=clear)


def _breached(memory: Memory, at: Millis, terms: Terms) -> tuple[Memory, tuple[Change, ...]]:
    changes: tuple[Change, ...] = ()
    if memory.phase == "ok":
        memory, changes = _with(memory, phase="pending", since=at), ("begun",)
    since = at if memory.since is None else memory.since
    if memory.phase == "pending" and at - since >= terms.lasting:
        memory, changes = _with(memory, phase="firing"), (*changes, "fired")
    return _with(memory, clear=None), changes


def _better(memory: Memory, at: Millis, terms: Terms, *, cleared: bool) -> tuple[Memory, tuple[Change, ...]]:
    if not cleared:
        return _with(memory, clear=None), ()
    since = at if memory.clear is None else memory.clear
    if at - since < terms.calm:
        return _with(memory, clear=since), ()
    return _ok(memory), ("resolved",)


def _tell(memory: Memory, changes: tuple[Change, ...], silent: bool) -> tuple[Memory, tuple[Change, ...]]:
    if memory.phase != "firing" or memory.told or silent:
        return memory, changes
    return _with(memory, told=True), (*changes, "told")


def _ok(memory: Memory) -> Memory:
    return Memory(seen=memory.seen)


def _with(memory: Memory, **changed: object) -> Memory:
    return msgspec.structs.replace(memory, **changed)
