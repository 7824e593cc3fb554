"""The promises, each as a pure function from a history to what is wrong with it.

    assert not violations(history)

What a promise means in detail is in its function's docstring. ``replay`` folds the journals again, for the promises
about outcomes, timers and events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

from lowtide.testing.simulate.history import History, Record
from lowtide.testing.simulate.replay import Replayed, replayed

__all__ = ["REPLAY_RULES", "RULES", "Violation", "violations"]

Violation = str
Rule = Callable[[History], Iterator[Violation]]
ReplayRule = Callable[[History, list[Replayed]], Iterator[Violation]]


def violations(history: History) -> list[Violation]:
    """Every promise that this history breaks, each with the name of its rule in front."""
    replays = replayed(history)
    found = [f"{rule.__name__}: {what}" for rule in RULES for what in rule(history)]
    return found + [f"{rule.__name__}: {what}" for rule in REPLAY_RULES for what in rule(history, replays)]


def nothing_broke(history: History) -> Iterator[Violation]:
    """No deployable met with a mistake of its own."""
    for record in history.of("broken"):
        yield f"{record['what']}: {record['error']}"


def acknowledged_effects_are_never_repeated(history: History) -> Iterator[Violation]:
    """Once an owner has heard that a result is committed, nobody decides to perform that command again.

    An owner that had decided before may still send: the decision counts, not the arrival.
    """
    known: dict[tuple[str, str], Record] = {}
    for record in history.of("decided", "acknowledged"):
        if record.kind == "acknowledged":
            for command in record["commands"]:
                known.setdefault((record["execution"], command), record)
        elif (before := known.get((record["execution"], record["command"]))) is not None:
            yield f"{_name(record)} {record['command']} again by {record.by}; {before.by} had its result at {before.at}"


def a_key_stands_for_one_effect(history: History) -> Iterator[Violation]:
    """What is sent under one idempotency key is always the same."""
    arguments: dict[tuple[str, str], str] = {}
    for record in history.of("decided"):
        key = (record["execution"], record["command"])
        if arguments.setdefault(key, record["arguments"]) != record["arguments"]:
            yield f"{_name(record)} {record['command']} with other arguments"


def acknowledged_records_stay(history: History) -> Iterator[Violation]:
    """What an owner was told is committed is in the journal at the end, as it was: no fenced owner was told so."""
    kept = {(record["execution"], record["number"]): record["digest"] for record in history.of("journal")}
    for record in history.of("acknowledged"):
        for number, entry in record["entries"]:
            if kept.get((record["execution"], number)) != entry:
                where = f"record {number} of epoch {record['epoch']}"
                yield f"{_name(record)} {where}, acknowledged to {record.by}, is lost"


def journals_have_no_gaps(history: History) -> Iterator[Violation]:
    """Numbers are consecutive from 1, and epochs never go back."""
    last: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for record in history.of("journal"):
        number, epoch = last[record["execution"]]
        if record["number"] != number + 1 or record["epoch"] < epoch:
            yield f"{_name(record)} record {record['number']} of epoch {record['epoch']} follows {number} of {epoch}"
        last[record["execution"]] = (record["number"], record["epoch"])


def an_epoch_ends_once(history: History) -> Iterator[Violation]:
    """Every outcome of an epoch that is ever delivered is the same, byte for byte."""
    ends: dict[tuple[str, int], tuple[str, int]] = {}
    for record in history.of("closed"):
        end = (record["type"], record["body"])
        if ends.setdefault((record["execution"], record["epoch"]), end) != end:
            yield f"{_name(record)} epoch {record['epoch']} ended twice"


def an_outcome_never_changes(history: History) -> Iterator[Violation]:
    """What control once showed as the outcome is what it shows for ever."""
    seen: dict[str, str] = {}
    for record in history.of("seen"):
        if seen.setdefault(record["execution"], record["outcome"]) != record["outcome"]:
            yield f"{_name(record)} has a second outcome"


def outcomes_follow_from_journals(history: History, replays: list[Replayed]) -> Iterator[Violation]:
    """Folding the journal gives the outcome that control stored; timers are due, and events match, where they are fed.

    An execution that was asked to cancel may end without an invocation: its journal then has no end.
    """
    for execution in replays:
        yield from execution.problems
        stored, told = execution.record, execution.outcome
        if stored["phase"] == "cancelled":
            if not _may_be_cancelled(history, stored):
                yield f"{_name(stored)} is cancelled, and nobody asked for that"
            if told is not None and told[0] != "cancelled":
                yield f"{_name(stored)} is cancelled, and its journal says {told[0]}"
        elif told != (stored["phase"], execution.stored):
            yield f"{_name(stored)} is {stored['phase']} with {execution.stored}, and its journal says {told}"


def results_come_from_the_world(history: History, replays: list[Replayed]) -> Iterator[Violation]:
    """A success in a journal is a result that the world gave for this command."""
    given = {(record["execution"], record["command"], record["result"]) for record in history.of("performed")}
    for execution in replays:
        for command, result in execution.results:
            if (execution.record["execution"], command, result) not in given:
                yield f"{_name(execution.record)} {command} has a result that the world never gave"


def events_are_received_once(history: History, replays: list[Replayed]) -> Iterator[Violation]:
    """A listener gets an event once, and only events that somebody sent."""
    sent = {(record["source"], record["id"]) for record in history.of("sending", "emitted")}
    for execution in replays:
        for (command, source, number, _), times in Counter(execution.received).items():
            if times > 1:
                yield f"{_name(execution.record)} {command} got event {number} of {source} {times} times"
            if (source, number) not in sent:
                yield f"{_name(execution.record)} {command} got event {number} of {source}, which nobody sent"


def a_key_starts_one_execution(history: History) -> Iterator[Violation]:
    """Every acknowledged start of one key names the same execution, which exists."""
    there = {record["execution"] for record in history.of("execution")}
    started: dict[tuple[str, str], str] = {}
    for record in history.of("started"):
        if record["execution"] not in there:
            yield f"{_name(record)} was acknowledged and does not exist"
        if started.setdefault((record["workflow"], record["key"]), record["execution"]) != record["execution"]:
            yield f"key {record['key']} of {record['workflow']} started two executions"


def an_event_starts_one_execution(history: History) -> Iterator[Violation]:
    """As many executions begin by events as different events were emitted that somebody is started by; none is lost.

    An emission whose sender never heard that it was taken may have been taken or not.
    """
    for workflow in {record["name"] for record in history.of("deployed") if record["on"]}:
        emitted = {(record["source"], record["id"]) for record in history.of("emitted")}
        taken = {(record["source"], record["id"]) for record in history.of("taken")}
        count = sum(record["workflow"] == workflow for record in history.of("execution"))
        if not len(taken) <= count <= len(emitted):
            events = f"{len(emitted)} events were emitted and {len(taken)} taken"
            yield f"{events}, but {count} executions of {workflow} began"


def a_child_starts_once(history: History) -> Iterator[Violation]:
    """One command of a parent starts one child."""
    children = [(record["parent"], record["parent_command"]) for record in history.of("execution") if record["parent"]]
    for (parent, command), times in Counter(children).items():
        if times > 1:
            yield f"{parent} {command} has {times} children"


def dispatches_respect_their_limit(history: History) -> Iterator[Violation]:
    """No more dispatches are with the Broker than allowed."""
    for record in history.of("outstanding"):
        if record["count"] > record["most"]:
            yield f"{record['count']} dispatches were outstanding at {record.at}, at most {record['most']} may be"


def limits_are_respected(history: History) -> Iterator[Violation]:
    """No more executions of a workflow run at once than its limit of concurrency."""
    for record in history.of("slots"):
        if record["count"] > record["most"]:
            what = f"{record['count']} executions of {record['workflow']} ran"
            yield f"{what} at {record.at}, at most {record['most']} may"


def analytics_learns_the_end(history: History) -> Iterator[Violation]:
    """The newest change that analytics was told is the phase that control has."""
    told: dict[str, tuple[int, str]] = {}
    for record in history.of("told"):
        told[record["execution"]] = max(told.get(record["execution"], (0, "")), (record["number"], record["phase"]))
    for record in history.of("execution"):
        if told.get(record["execution"]) != (record["change"], record["phase"]):
            yield f"{_name(record)} is {record['phase']}, analytics was told {told.get(record['execution'])}"


def everything_ends(history: History) -> Iterator[Violation]:
    """When the faults are over, every execution reaches its outcome, and nothing is left behind."""
    for record in history.of("execution"):
        if record["phase"] not in ("completed", "faulted", "cancelled"):
            yield f"{_name(record)} of {record['workflow']} is {record['phase']} for ever: {record['reason'] or ''}"
    for record in history.of("leftover"):
        yield f"{record['count']} left in {record['store']}: {record['what']}"


RULES: Final[tuple[Rule, ...]] = (
    nothing_broke,
    acknowledged_effects_are_never_repeated,
    a_key_stands_for_one_effect,
    acknowledged_records_stay,
    journals_have_no_gaps,
    an_epoch_ends_once,
    an_outcome_never_changes,
    a_key_starts_one_execution,
    an_event_starts_one_execution,
    a_child_starts_once,
    dispatches_respect_their_limit,
    limits_are_respected,
    analytics_learns_the_end,
    everything_ends,
)
REPLAY_RULES: Final[tuple[ReplayRule, ...]] = (
    outcomes_follow_from_journals,
    results_come_from_the_world,
    events_are_received_once,
)


def _may_be_cancelled(history: History, execution: Record) -> bool:
    """Asked for, or its parent ended or no longer waits for it."""
    asked: set[Any] = {record["execution"] for record in history.of("cancelling")}
    return execution["execution"] in asked or execution["parent"] is not None


def _name(record: Record) -> str:
    return f"execution {record['execution']}"
