"""``run`` of a script or a shell: an effect like a call; what it gives is chosen by ``return``."""

from __future__ import annotations

from lowtide.engine.flow import body_scope
from lowtide.engine.render import render
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from lowtide.model.event import EffectFailed, EffectSucceeded
from lowtide.model.plan import RunProcess
from lowtide.model.state import CallBody, TaskFrame

__all__ = ["advance", "start"]


def start(run: Run, task: RunProcess, frame: TaskFrame, place: Place) -> Result:
    configuration = render(run, task.with_, frame.input, body_scope(run, frame, place))
    arguments = {"with": configuration, "await": task.await_, "return": task.return_}
    timeout = None if frame.deadline is None else frame.deadline - frame.started
    run.issue(Perform(id=frame_id(frame), call=task.process, arguments=arguments, reference=frame.ref, timeout=timeout))
    frame.body = CallBody()
    return PENDING


def advance(run: Run, task: RunProcess, frame: TaskFrame, place: Place) -> Result:
    match run.take(frame_id(frame)):
        case None:
            return PENDING
        case EffectSucceeded(output=output):
            return Done(output if task.await_ else frame.input)
        case EffectFailed(error=error):
            raise TaskFailed(error)
        case other:
            raise AssertionError(f"a process does not end by {other!r}")
