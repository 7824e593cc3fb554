"""``wait``: goes on after a duration; the data stays."""

from __future__ import annotations

from lowtide.engine.flow import body_scope
from lowtide.engine.render import duration
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.model.command import Sleep
from lowtide.model.plan import Wait
from lowtide.model.state import TaskFrame, WaitBody

__all__ = ["advance", "start"]


def start(run: Run, task: Wait, frame: TaskFrame, place: Place) -> Result:
    length = duration(run, task.duration, frame.input, body_scope(run, frame, place))
    command = Sleep(id=frame_id(frame), until=run.after(length))
    run.issue(command)
    run.fact(frame, "waiting", wait=command)
    frame.body = WaitBody()
    return PENDING


def advance(run: Run, task: Wait, frame: TaskFrame, place: Place) -> Result:
    return PENDING if run.take(frame_id(frame)) is None else Done(frame.input)
