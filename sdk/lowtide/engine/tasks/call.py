"""``call``: a protocol's effect, a function of the document, what is built in, or a step of the registry."""

from __future__ import annotations

from typing import Final

from lowtide.engine.flow import advance_task, body_scope, enter_task, new_frame
from lowtide.engine.render import render
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.engine.tasks import subscription
from lowtide.engine.uri import expand_endpoints
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from lowtide.model.duration import to_millis
from lowtide.model.event import EffectFailed, EffectSucceeded
from lowtide.model.plan import Call, Task
from lowtide.model.state import CallBody, FunctionBody, SubscriptionBody, TaskFrame

__all__ = ["PROTOCOLS", "advance", "start"]

PROTOCOLS: Final = frozenset({"http", "openapi", "grpc", "asyncapi", "mcp", "a2a"})

# What the functions call that every default catalog has; documents name those functions.
_CREATE_CALLBACK: Final = "lowtide:create-callback"
_ASKS: Final = "lowtide:await-"


def start(run: Run, task: Call, frame: TaskFrame, place: Place) -> Result:
    arguments = render(run, task.with_, frame.input, body_scope(run, frame, place))
    function = run.plan.functions.get(task.call)
    if function is not None:
        return _start_function(run, function, frame, place, arguments)
    if task.call == "asyncapi" and subscription.is_subscription(arguments):
        return subscription.start(run, task, frame, place, arguments)
    if task.call.startswith(_ASKS):
        from lowtide.engine.tasks import asking  # few workflows ask anybody: others do not pay for it

        return asking.start(run, task.call, frame, arguments)
    if task.call in PROTOCOLS:
        call, arguments = task.call, expand_endpoints(task.with_, arguments, frame.input)
    elif task.call == _CREATE_CALLBACK:
        call = "callback"
    else:
        call, arguments = "step", {"name": task.call, "with": arguments}
    timeout = None if frame.deadline is None else frame.deadline - frame.started
    if call == "mcp":
        timeout = _shortest(timeout, arguments.get("timeout"))
    run.issue(Perform(id=frame_id(frame), call=call, arguments=arguments, reference=frame.ref, timeout=timeout))
    frame.body = CallBody()
    return PENDING


def _shortest(timeout: int | None, own: object) -> int | None:
    """MCP alone has a timeout among its arguments: a call may take that long, unless its task ends before."""
    try:
        given = None if own is None else to_millis(own)
    except ValueError:
        given = None  # the effect says what is wrong with it
    return min((one for one in (timeout, given) if one is not None), default=None)


def _start_function(run: Run, function: Task, frame: TaskFrame, place: Place, arguments: object) -> Result:
    """A function of ``use.functions`` is a task of its own: its input is what ``with`` gives."""
    inside = Place(place.holder, {}, place.attempt, (function.pointer, frame.ref), place.subject)
    child = new_frame(run, function, arguments, f"{frame.path}.1", inside)
    frame.body = FunctionBody(child=child)
    return _without_directive(enter_task(run, function, child, inside))


def advance(run: Run, task: Call, frame: TaskFrame, place: Place) -> Result:
    if isinstance(frame.body, FunctionBody):
        function = run.plan.functions[task.call]
        assert frame.body.child is not None
        inside = Place(place.holder, {}, place.attempt, (function.pointer, frame.ref), place.subject)
        return _without_directive(advance_task(run, function, frame.body.child, inside))
    if isinstance(frame.body, SubscriptionBody):
        return subscription.advance(run, task, frame, place)
    if task.call.startswith(_ASKS):
        from lowtide.engine.tasks import asking

        return asking.advance(run, frame)
    match run.take(frame_id(frame)):
        case None:
            return PENDING
        case EffectSucceeded(output=output):
            return Done(output)
        case EffectFailed(error=error):
            raise TaskFailed(error)
        case other:
            raise AssertionError(f"a call does not end by {other!r}")


def _without_directive(result: Result) -> Result:
    """A function's own ``then`` has no meaning where it is called, except that ``end`` ends the workflow."""
    return result if result is PENDING else Done(result.output, over=result.ends)
