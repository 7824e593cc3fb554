"""The engine's two verbs. Pure: equal arguments give equal turns, and no argument is changed.

begin(plan, seed, host)           -> Turn
resume(plan, state, event, host)  -> Turn
fold(plan, state, entries, host)  -> State
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from lowtide.engine.depth import is_too_deep
from lowtide.engine.extensions import EXTENDED_BODIES
from lowtide.engine.flow import advance_sequence
from lowtide.engine.frames import DEADLINE, cancel_sequence, copy_state
from lowtide.engine.host import Host
from lowtide.engine.render import check_schema, duration, render
from lowtide.engine.run import PENDING, STEPS_PER_TURN, Bodies, Place, Run
from lowtide.engine.scope import Scope
from lowtide.engine.shifting import shift
from lowtide.engine.tasks import BODIES
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, LATEST, Millis, Value
from lowtide.model.command import Await, Command, Perform, Publish, RunChild, RunContainer, Sleep
from lowtide.model.error import Error, standard_error
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
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Cancelled, Completed, Faulted, Outcome, Seed, Sequence, State

__all__ = ["Turn", "begin", "fold", "resume"]


_ANSWERS: Final[dict[type, tuple[type, ...]]] = {
    Perform: (EffectSucceeded, EffectFailed),
    Publish: (EffectSucceeded, EffectFailed),
    Sleep: (TimerFired,),
    Await: (EventsReceived,),
    RunChild: (ChildEnded, EffectSucceeded, EffectFailed),
    RunContainer: (EffectSucceeded, EffectFailed),
}
"""The events by which each kind of command ends."""


class Turn(Value, frozen=True):
    """What one step of the engine gives.

    ``commands`` are newly wanted (an id that was wanted before replaces it), ``retracted`` are ids no longer wanted.
    ``more``: call :func:`resume` with no event to go on. ``outcome`` is set once, on the last turn.
    """

    state: State
    commands: tuple[Command, ...] = ()
    retracted: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    more: bool = False
    outcome: Outcome | None = None


def begin(plan: Plan, seed: Seed, host: Host, *, steps: int = STEPS_PER_TURN) -> Turn:
    """The first turn: the workflow's input is checked and transformed, and tasks run as far as they can."""
    given = None if is_too_deep(seed.input) else seed.input
    state = State(execution=seed.execution, started=seed.at, now=seed.at, random=seed.random, input=given, turn=1)
    state.amendments = seed.amendments
    run = Run(_bodies(plan), plan, host, state, seed.at, seed.random, steps_left=steps)

    def first() -> Outcome | None:
        data = seed.input
        run.depths.check(data, "workflow's input")
        if plan.input is not None:
            check_schema(run, plan.input.schema, data, "workflow's input")
            if plan.input.from_ is not None:
                data = render(run, plan.input.from_, data, Scope(run, Place(state, {}), "workflow.input"))
        state.context = data
        if plan.timeout is not None:
            length = duration(run, plan.timeout, data, Scope(run, Place(state, {}), "workflow.output"))
            state.deadline = run.after(length)
            run.issue(Sleep(id="@" + DEADLINE, until=state.deadline, purpose="deadline"))
        state.root = Sequence(data=data)
        return _advance(run)

    return _turn(run, first)


def resume(plan: Plan, state: State, event: Event | None, host: Host, *, steps: int = STEPS_PER_TURN) -> Turn:
    """The next turn: what happened is fed in; no event goes on with a turn that said ``more``.

    An event that answers no pending command is ignored: it came too late, twice, or is of a kind that the command
    cannot end by. A state with an outcome stays.
    """
    if state.outcome is not None:
        return Turn(state, outcome=state.outcome)
    state = copy_state(state)
    state.turn += 1
    random, before = state.random, state.now
    if event is not None:
        state.now = Millis(min(max(state.now, event.at), LATEST))
        random = event.random
    run = Run(_bodies(plan), plan, host, state, state.now, random, steps_left=steps)
    if isinstance(event, CancelAsked):
        return _turn(run, lambda: Cancelled(reason=event.reason))
    if isinstance(event, Forked):
        shift(run, state.now - before)
    elif event is not None and isinstance(event, _ANSWERS.get(type(state.pending.get(event.command)), ())):
        run.arrivals[event.command] = event

    def further() -> Outcome | None:
        if run.take("@" + DEADLINE) is not None:
            length = ((state.deadline or state.started) - state.started) / 1000
            return Faulted(_whole(standard_error("timeout", f"the workflow did not end within {length:g} s")))
        return _advance(run)

    return _turn(run, further)


def fold(
    plan: Plan, state: State, entries: Iterable[tuple[int, Event]], host: Host, *, steps: int = STEPS_PER_TURN
) -> tuple[State, tuple[Fact, ...]]:
    """The state after a journal: entries are (turn at which it was fed, event); facts as they were the first time."""
    facts: list[Fact] = []

    def take(event: Event | None) -> None:
        nonlocal state
        turn = resume(plan, state, event, host, steps=steps)
        state = turn.state
        facts.extend(turn.facts)

    for number, event in entries:
        while state.more and state.turn < number:
            take(None)
        take(event)
    return state, tuple(facts)


def _bodies(plan: Plan) -> Bodies:
    return EXTENDED_BODIES if plan.extensions else BODIES


def _advance(run: Run) -> Outcome | None:
    state, plan = run.state, run.plan
    assert state.root is not None
    place = Place(state, {})
    result = advance_sequence(run, plan.do, state.root, "1", place)
    if result is PENDING:
        return None
    output: JSON = result.output
    if plan.output is not None:
        if plan.output.as_ is not None:
            output = render(run, plan.output.as_, output, Scope(run, place, "workflow.output"))
            run.depths.check(output, "workflow's output")
        check_schema(run, plan.output.schema, output, "workflow's output")
    return Completed(output=output)


def _turn(run: Run, work: Callable[[], Outcome | None]) -> Turn:
    state = run.state
    try:
        outcome = work()
    except TaskFailed as failure:
        outcome = Faulted(_whole(failure.error))
    state.more = run.more and outcome is None
    if outcome is not None:
        _close(run, outcome)
    facts = run.facts()
    state.facts += len(facts)
    return Turn(state, tuple(run.commands.values()), tuple(run.retracted), facts, state.more, state.outcome)


def _close(run: Run, outcome: Outcome) -> None:
    """Nothing is wanted after an outcome."""
    cancel_sequence(run, run.state.root)
    for command_id in list(run.state.pending):
        run.retract(command_id)
    run.state.root = None
    run.state.outcome = outcome


def _whole(error: Error) -> Error:
    """An error of the workflow itself points at the document's root task list."""
    if error.instance is not None:
        return error
    return Error(error.type, error.status, error.title, error.detail, "/")
