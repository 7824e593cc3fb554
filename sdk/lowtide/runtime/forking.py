"""The past that an execution takes over from another one: which records, and the state that they lead to. Pure.

A fork's journal is its origin's up to the task that it goes on from, then one ``Forked`` record. What was done before
that task is in those records, so it is not done again; the task itself, and what was under way beside it, is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lowtide.engine import Host, resume
from lowtide.errors import Conflict
from lowtide.model.base import ExecutionId, Millis, Value
from lowtide.model.command import Command, Perform, RunContainer, Sleep
from lowtide.model.event import CancelAsked, ChildEnded, EffectFailed, Event, Forked, TimerFired
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Faulted, Seed, State
from lowtide.runtime.replay import Step, steps
from lowtide.wire.records import Entry, JournalRecord

__all__ = ["Cut", "Past", "check_effects", "entry_of", "failure_of", "past"]

_REST: Final = 1000
"""Turns that are played after a journal's last record: a document that never rests is not followed for ever."""

_SHOWN: Final = 12


class Cut(Value, frozen=True):
    """``keep`` records of the journal are taken over; ``task`` is the entry that the fork goes on from."""

    keep: int
    task: str


class Past(Value, frozen=True):
    """``state`` is that after the ``Forked`` record, which ``entry`` is; ``facts`` are all that led to it."""

    state: State
    entry: Entry
    facts: tuple[Fact, ...]


def entry_of(plan: Plan, seed: Seed, records: Sequence[JournalRecord], host: Host, task: str) -> Cut:
    """Where a task was entered: ``task`` is its name, its reference, or one of its entries (``{reference}@{path}``).

    Raises :class:`lowtide.errors.Conflict` where it never was, or where more than one entry is meant.
    """
    entered = [
        (step.number, fact)
        for step in steps(plan, seed, records, host, rest=_REST)
        for fact in step.facts
        if fact.status == "running"
    ]
    found = [(number, fact) for number, fact in entered if task in (fact.task, fact.reference, fact.name)]
    if not found:
        reached = _listed(dict.fromkeys(fact.reference for _, fact in entered))
        raise Conflict(f"it never entered a task {task!r}; it entered {reached or 'none at all'}")
    references = dict.fromkeys(fact.reference for _, fact in found)
    if len(references) > 1:
        raise Conflict(f"several tasks are called {task!r}; name one by its reference: {_listed(references)}")
    if len(found) > 1:
        entries = _listed(dict.fromkeys(fact.task for _, fact in found))
        raise Conflict(f"it entered {task} {len(found)} times (a loop, a retry, a jump); name one entry: {entries}")
    return Cut(found[0][0], found[0][1].task)


def failure_of(plan: Plan, seed: Seed, records: Sequence[JournalRecord], host: Host) -> Cut:
    """Where an execution faulted: before the record by which it did, if that says that something failed.

    Raises :class:`lowtide.errors.Conflict` where this version of the engine comes to no such end.
    """
    before: State | None = None
    for step in steps(plan, seed, records, host, rest=_REST):
        if isinstance(step.outcome, Faulted):
            fact = next((fact for fact in step.facts if fact.status == "faulted"), None)
            task = step.outcome.error.instance or "/" if fact is None else fact.task
            again = before is not None and _says_failed(step.event, before)
            return Cut(step.number - 1 if again else step.number, task)
        before = step.state
    raise Conflict("its journal does not lead to its failure with this version of the engine; restart it instead")


def _says_failed(event: Event | None, before: State) -> bool:
    """Whether something outside failed, or took too long: what may go well the next time."""
    match event:
        case EffectFailed():
            return True
        case ChildEnded(error=error):
            return error is not None
        case TimerFired(command=command):
            timer = before.pending.get(command)
            return isinstance(timer, Sleep) and timer.purpose == "deadline"
        case _:
            return False


def check_effects(
    old: tuple[Plan, Seed], new: tuple[Plan, Seed], records: Sequence[JournalRecord], host: Host, what: str
) -> None:
    """Raise :class:`lowtide.errors.Conflict` unless ``new``, told what happened to ``old``, would have done the same.

    ``records`` are those that the fork takes over, ``what`` is what is new. The seeds name the same execution.
    """
    before = zip(_states(*old, records, host), _states(*new, records, host), strict=True)
    for record, (was, now) in zip(records, before, strict=False):
        event = record.entry.happened
        if isinstance(event, CancelAsked | Forked) or event.command not in was.pending:
            continue
        place = event.command.partition("@")[0] or "the workflow's timeout"
        wanted = now.pending.get(event.command)
        if wanted is None:
            raise Conflict(
                f"{what} differs before the task that it is to go on from: it would not have come to {place} "
                "as the origin did; fork from an earlier task, or restart it"
            )
        if not _same(was.pending[event.command], wanted):
            raise Conflict(
                f"{what} differs before the task that it is to go on from: {place} would have been called with "
                "other arguments, and it is not done again; fork from there or earlier, or restart it"
            )


def _states(plan: Plan, seed: Seed, records: Sequence[JournalRecord], host: Host) -> Iterator[State]:
    """The state before each record, and the last one."""
    played: Iterator[Step] = steps(plan, seed, records, host, rest=0)
    return (step.state for step in played)


def _same(was: Command, now: Command) -> bool:
    """Whether two commands do the same; how long they may take is no difference, nor when a timer was due."""
    if isinstance(was, Sleep) and isinstance(now, Sleep):
        return was.purpose == now.purpose
    if isinstance(was, Perform | RunContainer) and type(was) is type(now):
        return was == msgspec.structs.replace(now, timeout=was.timeout)
    return was == now


def past(plan: Plan, seed: Seed, records: Sequence[JournalRecord], host: Host, origin: ExecutionId, at: Millis) -> Past:
    """The state that ``records`` lead to, at the moment of the fork. ``seed`` names the new execution.

    Raises :class:`lowtide.errors.Conflict` where the records alone lead to a failure: there is nothing to go on from.
    """
    facts: list[Fact] = []
    state: State | None = None
    for step in steps(plan, seed, records, host, rest=0):
        facts += step.facts
        state = step.state
    assert state is not None
    if isinstance(state.outcome, Faulted):
        error = state.outcome.error
        raise Conflict(
            f"it would fail again at {error.instance or '/'} ({error.type.rpartition('/')[2]}), for "
            "nothing outside the workflow caused it; retry it with a mended version, or fork it from an earlier task "
            "with other data"
        )
    entry = Entry(turn=state.turn, event=Forked(at=at, random=state.random, origin=origin))
    turn = resume(plan, state, entry.happened, host)
    return Past(turn.state, entry, (*facts, *turn.facts))


def _listed(names: dict[str, None]) -> str:
    shown = list(names)[:_SHOWN]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
