"""``do``: tasks in sequence; the output is the last one's."""

from __future__ import annotations

from lowtide.engine.flow import advance_sequence
from lowtide.engine.run import Place, Result, Run
from lowtide.model.plan import Do
from lowtide.model.state import DoBody, Sequence, TaskFrame

__all__ = ["advance", "start"]


def start(run: Run, task: Do, frame: TaskFrame, place: Place) -> Result:
    frame.body = DoBody(seq=Sequence(data=frame.input))
    return advance(run, task, frame, place)


def advance(run: Run, task: Do, frame: TaskFrame, place: Place) -> Result:
    assert isinstance(frame.body, DoBody)
    return advance_sequence(run, task.do, frame.body.seq, frame.path, place)
