"""``run: workflow``: another execution; awaited, its output is the task's, and its error too."""

from __future__ import annotations

from lowtide.engine.flow import body_scope
from lowtide.engine.render import render
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.errors import TaskFailed
from lowtide.model.command import RunChild
from lowtide.model.error import Error
from lowtide.model.event import ChildEnded, EffectFailed
from lowtide.model.plan import RunWorkflow
from lowtide.model.state import CallBody, TaskFrame

__all__ = ["advance", "start"]


def start(run: Run, task: RunWorkflow, frame: TaskFrame, place: Place) -> Result:
    scope = body_scope(run, frame, place)
    version = None if task.version is None else render(run, task.version, frame.input, scope)
    given = frame.input if task.with_ is None else render(run, task.with_, frame.input, scope)
    command = RunChild(
        id=frame_id(frame),
        namespace=str(render(run, task.namespace, frame.input, scope)),
        workflow=str(render(run, task.workflow, frame.input, scope)),
        version=None if version in (None, "latest") else str(version),
        input=given,
        detached=not task.await_,
        reference=frame.ref,
    )
    run.issue(command)
    if task.await_:
        run.fact(frame, "waiting", wait=command)
    frame.body = CallBody()
    return PENDING


def advance(run: Run, task: RunWorkflow, frame: TaskFrame, place: Place) -> Result:
    match run.take(frame_id(frame)):
        case None:
            return PENDING
        case ChildEnded(error=Error() as error):
            raise TaskFailed(Error(error.type, error.status, error.title, error.detail))
        case ChildEnded(output=output):
            return Done(output)
        case EffectFailed(error=error):
            raise TaskFailed(error)
        case _:
            return Done(frame.input)
