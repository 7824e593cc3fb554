"""``switch``: the first case whose ``when`` is true, or that has none, says where to go; the data stays."""

from __future__ import annotations

from lowtide.engine.render import truthy
from lowtide.engine.run import Done, Place, Result, Run
from lowtide.engine.scope import Scope
from lowtide.model.plan import Switch
from lowtide.model.state import TaskFrame

__all__ = ["start"]


def start(run: Run, task: Switch, frame: TaskFrame, place: Place) -> Result:
    scope = Scope(run, place, "body", frame)
    for case in task.cases:
        if case.when is None or truthy(run, case.when, frame.input, scope):
            return Done(frame.input, case.then)
    return Done(frame.input)
