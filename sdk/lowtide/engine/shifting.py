"""Time that does not count: between a journal's past and the fork that goes on from it the clock stood still."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lowtide.engine.frames import open_frames
from lowtide.engine.run import Run
from lowtide.model.base import LATEST, Millis
from lowtide.model.command import Ask, Await, Sleep
from lowtide.model.state import SubscriptionBody, TryBody

__all__ = ["shift"]


def shift(run: Run, length: int) -> None:
    """Move every moment that is still to come, and those that lengths are counted from, by ``length`` milliseconds."""

    def later(moment: Millis) -> Millis:
        return Millis(min(moment + length, LATEST))

    state = run.state
    state.started = later(state.started)
    if state.deadline is not None:
        state.deadline = later(state.deadline)
    for command in list(state.pending.values()):
        if isinstance(command, Sleep):
            run.issue(msgspec.structs.replace(command, until=later(command.until)))
        elif isinstance(command, Await) and command.ask is not None:
            run.issue(msgspec.structs.replace(command, ask=_later(command.ask, later)))
    for frame in open_frames(state):
        frame.started = later(frame.started)
        if frame.deadline is not None:
            frame.deadline = later(frame.deadline)
        match frame.body:
            case TryBody() as body:
                body.since = later(body.since)
            case SubscriptionBody() as body if body.ends is not None:
                body.ends = later(body.ends)
            case _:
                pass


def _later(ask: Ask, later: Callable[[Millis], Millis]) -> Ask:
    task = ask.task
    if task is not None:
        steps = tuple(msgspec.structs.replace(step, at=later(step.at)) for step in task.escalation)
        task = msgspec.structs.replace(task, escalation=steps)
    return msgspec.structs.replace(ask, until=None if ask.until is None else later(ask.until), task=task)
