"""``listen``: awaits events; the output is always an array (decision A-13)."""

from __future__ import annotations

from lowtide.engine.depth import is_too_deep
from lowtide.engine.flow import body_scope
from lowtide.engine.matching import correlation_values, matches
from lowtide.engine.render import truthy
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.engine.scope import Scope
from lowtide.engine.tasks.filters import await_filters, strategy_needs
from lowtide.engine.tasks.foreach import iterate
from lowtide.model.base import JSON
from lowtide.model.command import Await
from lowtide.model.event import EventsReceived, Received
from lowtide.model.plan import Foreach, Listen
from lowtide.model.state import ListenBody, TaskFrame

__all__ = ["advance", "start"]


def start(run: Run, task: Listen, frame: TaskFrame, place: Place) -> Result:
    frame.body = ListenBody()
    _issue(run, task, frame, place)
    run.fact(frame, "waiting", wait=run.state.pending.get(frame_id(frame)))
    return advance(run, task, frame, place)


def advance(run: Run, task: Listen, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, ListenBody)
    event = run.arrivals.pop(frame_id(frame), None)
    if isinstance(event, EventsReceived):
        for received in event.events:
            if not body.closed:
                _take(run, task, frame, place, received)
        if body.closed:
            run.retract(frame_id(frame))
        else:
            _issue(run, task, frame, place)
    if task.foreach is None:
        return Done(_ordered(task, body)) if body.closed else PENDING
    return _iterate(run, task.foreach, frame, place)


def _issue(run: Run, task: Listen, frame: TaskFrame, place: Place) -> None:
    """Ask for the events that are still wanted; asked again when what is known changed."""
    body = frame.body
    assert isinstance(body, ListenBody)
    command_id = frame_id(frame)
    scope = body_scope(run, frame, place)
    before = run.state.pending.get(command_id)
    command = Await(
        id=command_id,
        need="all" if task.to.mode == "all" else "any",
        filters=await_filters(run, task.to, body, scope, frame.input),
        since=before.since if isinstance(before, Await) else run.now,
    )
    if command != before:
        run.issue(command)


def _take(run: Run, task: Listen, frame: TaskFrame, place: Place, received: Received) -> None:
    body = frame.body
    assert isinstance(body, ListenBody)
    scope = body_scope(run, frame, place)
    wanted = [item for item in await_filters(run, task.to, body, scope, frame.input) if item.index == received.filter]
    known = run.state.correlations
    if (
        not wanted
        or is_too_deep(received.event)
        or not matches(wanted[0], received.event, run.host, now=run.now, known=known)
    ):
        return
    for key, value in correlation_values(wanted[0], received.event, run.host, now=run.now).items():
        if not wanted[0].correlate[key].known:
            known.setdefault(key, value)
        body.keys[key] = value
    if received.filter < 0:
        body.until.append(received.filter)
    else:
        body.filters.append(received.filter)
        body.consumed.append(read(received.event, task.read))
    body.closed = _satisfied(run, task, body, Scope(run, place, "body", frame))


def read(event: dict[str, JSON], how: str) -> JSON:
    """An event as the task wants it: its data, its whole envelope, or its data as it came (``raw``)."""
    return event if how == "envelope" else event.get("data")


def _satisfied(run: Run, task: Listen, body: ListenBody, scope: Scope) -> bool:
    strategy = task.to
    if strategy.until_strategy is not None:
        return strategy_needs(strategy.until_strategy, [-1 - index for index in body.until]) == set()
    if strategy.until_condition is not None:
        return bool(body.consumed) and truthy(run, strategy.until_condition, body.consumed, scope)
    return strategy_needs(strategy, body.filters) == set()


def _ordered(task: Listen, body: ListenBody) -> list[JSON]:
    """In the order they came; those of ``all`` in the order in which the document names them."""
    if task.to.mode != "all":
        return list(body.consumed)
    pairs = sorted(zip(body.filters, range(len(body.consumed)), strict=True))
    return [body.consumed[index] for _, index in pairs]


def _iterate(run: Run, foreach: Foreach, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, ListenBody)
    while body.index < len(body.consumed):
        result = iterate(run, foreach, body, body.consumed[body.index], frame, place)
        if result is PENDING:
            return PENDING
        if result.over:
            return Done(list(body.outputs), over=True)
    return Done(list(body.outputs)) if body.closed else PENDING
