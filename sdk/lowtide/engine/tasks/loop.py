"""``for``: one iteration per item; each receives the output of the one before (decision A-6)."""

from __future__ import annotations

from lowtide.engine.flow import advance_sequence, body_scope
from lowtide.engine.render import render, truthy
from lowtide.engine.run import PENDING, Done, Place, Result, Run
from lowtide.engine.scope import Scope
from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error
from lowtide.model.plan import For
from lowtide.model.state import ForBody, Sequence, TaskFrame

__all__ = ["advance", "start"]


def start(run: Run, task: For, frame: TaskFrame, place: Place) -> Result:
    items = render(run, task.in_, frame.input, body_scope(run, frame, place))
    if not isinstance(items, list):
        kind = type(items).__name__ if items is not None else "null"
        detail = f"`for.in` must give an array, it gave {kind}; write `[…]` around it, or `// []` for an absent one"
        raise TaskFailed(standard_error("expression", detail))
    frame.body = ForBody(items=items, data=frame.input)
    return advance(run, task, frame, place)


def advance(run: Run, task: For, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, ForBody)
    seq, body.seq = body.seq, None
    while body.index < len(body.items):
        inner = place.with_variables({task.each: body.items[body.index], task.at: body.index})
        if seq is None:
            if run.pause():
                return PENDING
            if task.while_ is not None and not truthy(run, task.while_, body.data, Scope(run, inner, "body", frame)):
                break
            seq = Sequence(data=body.data)
        result = advance_sequence(run, task.do, seq, f"{frame.path}.{body.index + 1}", inner)
        if result is PENDING:
            body.seq = seq
            return PENDING
        seq = None
        body.data = result.output
        body.index += 1
        if result.over:
            return Done(body.data, over=True)
    return Done(body.data)
