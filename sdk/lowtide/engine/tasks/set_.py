"""``set``: replaces the data with what is given (not a merge)."""

from __future__ import annotations

from lowtide.engine.render import render
from lowtide.engine.run import Done, Place, Result, Run
from lowtide.engine.scope import Scope
from lowtide.model.plan import Set
from lowtide.model.state import TaskFrame

__all__ = ["start"]


def start(run: Run, task: Set, frame: TaskFrame, place: Place) -> Result:
    return Done(render(run, task.value, frame.input, Scope(run, place, "body", frame)))
