"""Flow and data flow: how a task is entered, goes on and ends, and how tasks follow each other.

The order is the standard's (dsl.md, "Data Flow"): ``if``, ``input.schema``, ``input.from``, the task itself,
``output.as``, ``output.schema``, ``export.as``, ``export.schema``, ``then``.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final, get_args

import msgspec

from lowtide.engine.frames import DEADLINE, cancel_frame, retract_frame
from lowtide.engine.render import check_schema, duration, render, truthy
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.engine.scope import Scope
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform, Sleep
from lowtide.model.error import Error, standard_error
from lowtide.model.plan import Task
from lowtide.model.state import Sequence, TaskFrame

__all__ = ["advance_sequence", "advance_task", "authorization_of", "body_scope", "enter_task", "new_frame"]

_KINDS: Final[dict[type, str]] = {kind: kind.__struct_config__.tag for kind in get_args(Task)}

DEEPEST: Final = 100
"""How deep tasks may be nested, functions in functions included: the interpreter's stack is finite."""


def advance_sequence(run: Run, tasks: tuple[Task, ...], sequence: Sequence, path: str, place: Place) -> Result:
    """Perform tasks in order, as far as possible. ``Done.over`` where the workflow ends here; else ``sequence.index``
    says which task left the list, or that there is none."""
    index, entered, data, child = sequence.index, sequence.entered, sequence.data, sequence.child
    if child is not None:
        sequence.child = None  # whoever cancels the sequence while the task goes on, or fails, has nothing to cancel
    while index < len(tasks):
        task = tasks[index]
        if child is not None:
            result = advance_task(run, task, child, place)
        elif run.pause():
            result = PENDING
        else:
            entered += 1
            child = new_frame(run, task, data, f"{path}.{entered}", place)
            result = enter_task(run, task, child, place)
        if result is PENDING:  # all stays in place
            sequence.index, sequence.entered, sequence.data, sequence.child = index, entered, data, child
            return PENDING
        child, data, then = None, result.output, result.then
        if result.over or then == "end":
            return Done(data, over=True)
        if then is None or then == "continue":
            index += 1
        elif then == "exit":
            break
        else:
            index = _index_of(tasks, then)
    sequence.index = index
    return Done(data)


def new_frame(run: Run, task: Task, raw: JSON, path: str, place: Place) -> TaskFrame:
    return TaskFrame(
        ref=task.pointer if place.rebase is None else place.ref(task.pointer),
        path=path,
        kind=_KINDS[type(task)],
        started=run.now,
        attempt=place.attempt,
        raw=raw,
        input=raw,
    )


def enter_task(run: Run, task: Task, frame: TaskFrame, place: Place) -> Result:
    """Begin a task on ``frame.raw``. Raises ``TaskFailed`` where it fails at once."""
    try:
        if len(frame.path) > DEEPEST and frame.path.count(".") > DEEPEST:
            detail = f"tasks are nested more than {DEEPEST} deep; a function that calls itself needs an end"
            raise TaskFailed(standard_error("runtime", detail))
        if run.state.amendments:
            _amend(run, frame, place)
        if task.if_ is not None and not truthy(run, task.if_, frame.raw, Scope(run, place, "before", frame)):
            run.fact(frame, "skipped")
            return Done(frame.raw)
        run.fact(frame, "running")
        if task.input is not None:
            check_schema(run, task.input.schema, frame.raw, "input")
            if task.input.from_ is not None:
                frame.input = render(run, task.input.from_, frame.raw, Scope(run, place, "before", frame))
                run.depths.check(frame.input, "input")
        if task.timeout is not None:
            length = duration(run, task.timeout, frame.input, body_scope(run, frame, place))
            frame.deadline = run.after(length)
            run.issue(Sleep(id=frame_id(frame) + DEADLINE, until=frame.deadline, purpose="deadline"))
        result = run.bodies.start(run, task, frame, place)
        return _finish(run, task, frame, place, result)
    except TaskFailed as failure:
        raise _fail(run, frame, failure.error) from failure


def _amend(run: Run, frame: TaskFrame, place: Place) -> None:
    """An execution that was forked from another may change what one entry of a task gets."""
    rest = dict(run.state.amendments)
    amendment = rest.pop(frame_id(frame), None)
    if amendment is None:
        return
    run.state.amendments = rest
    if amendment.input is not msgspec.UNSET:
        frame.raw = frame.input = amendment.input
        run.depths.check(frame.raw, "input")
    if amendment.context is not msgspec.UNSET:
        place.holder.context = amendment.context
        run.depths.check(place.holder.context, "context")


def advance_task(run: Run, task: Task, frame: TaskFrame, place: Place) -> Result:
    """Go on with a task after events arrived, or after a turn that stopped early."""
    try:
        if run.take(frame_id(frame) + DEADLINE) is not None:
            raise TaskFailed(standard_error("timeout", f"the task did not end within {_length(frame)}"))
        authorization = authorization_of(run, frame)
        result = run.bodies.advance(run, task, frame, place)
        return _finish(run, task, frame, place, result, authorization)
    except TaskFailed as failure:
        raise _fail(run, frame, failure.error) from failure


def body_scope(run: Run, frame: TaskFrame, place: Place) -> Scope:
    return Scope(run, place, "body", frame)


def _finish(run: Run, task: Task, frame: TaskFrame, place: Place, result: Result, authorization: JSON = None) -> Result:
    if result is PENDING:
        return result
    output = result.output
    if output is not frame.input and output is not frame.raw:
        run.depths.check(output, "output")
    if (task.output is not None or task.export is not None) and not result.over:
        result.output = _shape(run, task, frame, place, output, authorization)
    if run.state.pending or run.arrivals:
        retract_frame(run, frame)
    run.fact(frame, "completed")
    if result.then is None:
        result.then = task.then
    return result


def _shape(run: Run, task: Task, frame: TaskFrame, place: Place, raw_output: JSON, authorization: JSON) -> JSON:
    """The task's output, transformed and checked; what it exports becomes the context."""
    output = raw_output
    if task.output is not None:
        if task.output.as_ is not None:
            scope = Scope(run, place, "output", frame, raw_output=raw_output, authorization=authorization)
            output = render(run, task.output.as_, raw_output, scope)
            run.depths.check(output, "output")
        check_schema(run, task.output.schema, output, "output")
    if task.export is not None:
        context = place.holder.context
        if task.export.as_ is not None:
            scope = Scope(
                run, place, "export", frame, output=output, raw_output=raw_output, authorization=authorization
            )
            context = render(run, task.export.as_, output, scope)
            run.depths.check(context, "exported context")
        check_schema(run, task.export.schema, context, "exported context")
        place.holder.context = context
    return output


def _fail(run: Run, frame: TaskFrame, error: Error) -> TaskFailed:
    """Whatever is still under way in the frame is cancelled; the innermost task names itself."""
    if error.instance is None:
        error = msgspec.structs.replace(error, instance=frame.ref)
    cancel_frame(run, frame, inner_only=True)
    run.fact(frame, "faulted", error)
    return TaskFailed(error)


def authorization_of(run: Run, frame: TaskFrame) -> JSON:
    """``$authorization`` for what follows a call that authenticated: the two parts of its ``Authorization`` header.

    What the command itself does not hold stays out of the state: of a digest the username stands for the parameter,
    which no other request could use, and a token that an authorization server gave is not shown.
    """
    command = run.state.pending.get(frame_id(frame))
    if not isinstance(command, Perform):
        return frame.extended.authorization if frame.extended is not None else None
    match _policy(command.arguments):
        case {"bearer": {"token": str(token)} | str(token)}:
            return {"scheme": "Bearer", "parameter": token}
        case {"basic": {"username": username, "password": password}}:
            return {"scheme": "Basic", "parameter": b64encode(f"{username}:{password}".encode()).decode()}
        case {"digest": {"username": username}}:
            return {"scheme": "Digest", "parameter": username}
        case {"oauth2": _} | {"oidc": _}:
            return {"scheme": "Bearer", "parameter": None}
        case _:
            return None


def _policy(arguments: JSON) -> JSON:
    """The authentication of a call's own requests, wherever its kind keeps it."""
    if not isinstance(arguments, dict):
        return None
    if arguments.get("authentication") is not None:
        return arguments["authentication"]
    for name in ("endpoint", "service", "server", "transport", "http"):
        found = _policy(arguments.get(name))
        if found is not None:
            return found
    return None


def _index_of(tasks: tuple[Task, ...], name: str) -> int:
    for index, task in enumerate(tasks):
        if task.name == name:
            return index
    raise TaskFailed(standard_error("configuration", f"`then: {name}` names no task of the same list"))


def _length(frame: TaskFrame) -> str:
    return f"{((frame.deadline or frame.started) - frame.started) / 1000:g} s"
