"""Folds the journals of a history again, and notes what was fed that should not have been."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lowtide.engine import Host, begin, fold, resume
from lowtide.engine.matching import matches
from lowtide.expressions import JqHost
from lowtide.model.base import JSON
from lowtide.model.command import Await, Command, Sleep
from lowtide.model.event import EffectSucceeded, Event, EventsReceived, TimerFired
from lowtide.model.plan import Plan
from lowtide.model.state import Cancelled, Completed, Faulted, Seed, State
from lowtide.testing.simulate.history import History, Record, digest
from lowtide.wire import json
from lowtide.wire.records import Entry

__all__ = ["Replayed", "replayed"]

_HOST = JqHost()


@dataclass
class Replayed:
    """``outcome`` and ``stored``: what the journal says and what control has. ``results``: command, result.
    ``received``: command, source, id, filter."""

    record: Record
    outcome: tuple[str, JSON] | None = None
    results: list[tuple[str, str]] = field(default_factory=list)
    received: list[tuple[str, str, str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def stored(self) -> JSON:
        text = self.record["output"] if self.record["phase"] == "completed" else self.record["error"]
        return None if text is None else msgspec.json.decode(text)


def replayed(history: History) -> list[Replayed]:
    """Every execution of the history."""
    plans = {record["name"]: json.decode(record["plan"].encode(), Plan) for record in history.of("deployed")}
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    for record in history.of("journal"):
        entries[record["execution"]].append(json.decode(record["entry"].encode(), Entry))
    return [
        _replay(record, plans[record["workflow"]], entries[record["execution"]], _HOST)
        for record in history.of("execution")
    ]


def _replay(record: Record, plan: Plan, entries: list[Entry], host: Host) -> Replayed:
    made = Replayed(record)
    seed = json.decode(record["seed"].encode(), Seed)
    state = begin(plan, seed, host).state
    for entry in entries:
        while state.more and state.turn < entry.turn:
            state = resume(plan, state, None, host).state
        _look(made, state.pending, entry.happened, host)
        state, _ = fold(plan, state, [(entry.turn, entry.happened)], host)
    while state.more and state.outcome is None:
        state = resume(plan, state, None, host).state
    made.outcome = _outcome(state)
    return made


def _look(made: Replayed, pending: dict[str, Command], event: Event, host: Host) -> None:
    """What is fed answers something that is pending: due, or matching; late answers change nothing and are let be."""
    match event:
        case EffectSucceeded(command=command, output=output) if output is not None:
            made.results.append((command, digest(output)))
        case TimerFired(command=command, at=at):
            sleep = pending.get(command)
            if isinstance(sleep, Sleep) and at < sleep.until:
                made.problems.append(f"execution {made.record['execution']} timer {command} fired too early")
        case EventsReceived(command=command, events=received):
            listener = pending.get(command)
            for one in received:
                source, number = str(one.event["source"]), str(one.event["id"])
                made.received.append((command, source, number, one.filter))
                if isinstance(listener, Await) and not _fits(listener, one.filter, one.event, host, event.at):
                    made.problems.append(f"execution {made.record['execution']} {command} got {number}, no match")
        case _:
            return


def _fits(listener: Await, index: int, event: dict[str, JSON], host: Host, at: Any) -> bool:
    wanted = [awaited for awaited in listener.filters if awaited.index == index]
    return not wanted or matches(wanted[0], event, host, now=at)


def _outcome(state: State) -> tuple[str, JSON] | None:
    match state.outcome:
        case Completed(output=output):
            return "completed", output
        case Faulted(error=error):
            return "faulted", msgspec.json.decode(json.encode(error.as_json()))
        case Cancelled():
            return "cancelled", None
        case _:
            return None
