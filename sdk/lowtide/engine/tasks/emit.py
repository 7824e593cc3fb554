"""``emit``: publishes a CloudEvent; the output is the whole envelope (decision A-8).

What the document leaves out is generated: ``id`` and ``time`` derive from the command and the turn, so that the same
emission always has the same identity.
"""

from __future__ import annotations

from lowtide.engine.flow import body_scope
from lowtide.engine.render import render
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, iso
from lowtide.model.command import Publish
from lowtide.model.error import standard_error
from lowtide.model.event import EffectFailed
from lowtide.model.plan import Emit
from lowtide.model.state import CallBody, TaskFrame

__all__ = ["advance", "start"]


def start(run: Run, task: Emit, frame: TaskFrame, place: Place) -> Result:
    attributes = render(run, task.event, frame.input, body_scope(run, frame, place))
    if not isinstance(attributes, dict) or not isinstance(attributes.get("type"), str):
        raise TaskFailed(standard_error("configuration", "an event to emit needs `with.type`, a text"))
    command_id = frame_id(frame)
    event: dict[str, JSON] = {
        "specversion": "1.0",
        "id": f"{run.state.execution}{command_id}",
        "source": f"/lowtide/{run.plan.namespace}/{run.plan.name}",
        "time": iso(run.now),
        **attributes,
    }
    if "data" in event:
        event.setdefault("datacontenttype", "application/json")
    run.issue(Publish(id=command_id, event=event, reference=frame.ref))
    frame.body = CallBody()
    return PENDING


def advance(run: Run, task: Emit, frame: TaskFrame, place: Place) -> Result:
    command = run.state.pending.get(frame_id(frame))
    match run.take(frame_id(frame)):
        case None:
            return PENDING
        case EffectFailed(error=error):
            raise TaskFailed(error)
        case _:
            assert isinstance(command, Publish)
            return Done(command.event)
