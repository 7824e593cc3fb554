"""``raise``: fails with the given error; ``instance`` is the task's pointer unless the document says otherwise."""

from __future__ import annotations

from lowtide.engine.flow import body_scope
from lowtide.engine.render import render
from lowtide.engine.run import Place, Result, Run
from lowtide.errors import TaskFailed
from lowtide.model.error import Error, standard_error
from lowtide.model.plan import Raise
from lowtide.model.state import TaskFrame

__all__ = ["start"]


def start(run: Run, task: Raise, frame: TaskFrame, place: Place) -> Result:
    members = render(run, task.error, frame.input, body_scope(run, frame, place))
    match members:
        case {"type": str(kind), "status": int(status)} if not isinstance(status, bool):
            texts = {
                name: str(members[name]) for name in ("title", "detail", "instance") if members.get(name) is not None
            }
            raise TaskFailed(Error(type=kind, status=status, **texts))
        case _:
            detail = "the error to raise needs a `type` (text) and a `status` (whole number)"
            raise TaskFailed(standard_error("configuration", detail))
