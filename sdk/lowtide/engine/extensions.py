"""``use.extensions``: tasks around tasks, as layers of an onion (dsl.md, "Extensions"; dsl-reference.md, "Extension").

The extensions that apply are entered in the order of their declaration and left in the opposite one: ``before`` of the
first, ``before`` of the second, the task, ``after`` of the second, ``after`` of the first. They stand between the
task's ``input.from`` and its ``output.as``, within its timeout.

``before`` begins with the task's input, ``after`` with its output, and what their tasks give is dropped, so that an
extension which only looks on changes no data. ``then: exit`` in either says that it is the answer: in ``before`` the
layers within are bypassed, the extension's own ``after`` among them. Tasks of extensions are not extended themselves;
``$task`` is in all of them the task that they extend. Documents without extensions never come here.
"""

from __future__ import annotations

from typing import Final

from lowtide.engine.flow import advance_sequence, authorization_of
from lowtide.engine.render import truthy
from lowtide.engine.run import PENDING, Bodies, Done, Place, Result, Run, Subject
from lowtide.engine.scope import Scope
from lowtide.engine.tasks import BODIES
from lowtide.model.plan import Extension, Task
from lowtide.model.state import Extended, Sequence, TaskFrame

__all__ = ["EXTENDED_BODIES"]

_WIDER: Final = {"run": frozenset({"workflow", "process"}), "composite": frozenset({"do", "fork"})}
"""What ``extend`` names by a word of its own. ``composite`` is what the standard called ``do`` and ``fork`` before they
were two; it has no other word for them than ``all``."""

_DECLARED: Final = "/use/extensions/"


def _start(run: Run, task: Task, frame: TaskFrame, place: Place) -> Result:
    if place.subject is not None or not any(_is_for(extension, frame.kind) for extension in run.plan.extensions):
        return BODIES.start(run, task, frame, place)
    frame.extended = Extended()
    return _advance_layers(run, task, frame, place, frame.extended)


def _advance(run: Run, task: Task, frame: TaskFrame, place: Place) -> Result:
    if frame.extended is None:
        return BODIES.advance(run, task, frame, place)
    return _advance_layers(run, task, frame, place, frame.extended)


def _advance_layers(run: Run, task: Task, frame: TaskFrame, place: Place, extended: Extended) -> Result:
    # References of the extension's tasks begin with that of the task that they extend, as those of functions do.
    inside = Place(
        place.holder, {}, place.attempt, (_DECLARED, f"{frame.ref}/extensions/"), Subject(frame, task.pointer)
    )
    result: Result | None = None
    if extended.stage == "before":
        result = _advance_before(run, frame, inside, extended)
        if result is None:
            extended.stage = "task"
            result = BODIES.start(run, task, frame, place)
    elif extended.stage == "task":
        authorization = authorization_of(run, frame)
        result = BODIES.advance(run, task, frame, place)
        if isinstance(result, Done):
            extended.authorization = authorization
    if result is not None:
        if result is PENDING or result.over:
            return result
        extended.stage, extended.output, extended.then = "after", result.output, result.then
    return _advance_after(run, frame, inside, extended)


def _advance_before(run: Run, frame: TaskFrame, inside: Place, extended: Extended) -> Result | None:
    """``None`` where it is the task's turn; ``Done`` where an extension has answered for it."""
    for extension in run.plan.extensions[extended.index :]:
        if extended.seq is None and _applies(run, extension, frame, inside):
            extended.seq = Sequence(data=frame.input)
        if extended.seq is not None:
            result = advance_sequence(run, extension.before, extended.seq, frame.path, inside)
            if result is PENDING or result.over:
                return result
            left, extended.seq = extended.seq.index < len(extension.before), None
            if left:
                return Done(result.output)
            extended.applied.append(extended.index)
        extended.index += 1
    return None


def _advance_after(run: Run, frame: TaskFrame, inside: Place, extended: Extended) -> Result:
    while extended.applied:
        extension = run.plan.extensions[extended.applied[-1]]
        if extended.seq is None:
            extended.seq = Sequence(data=extended.output)
        result = advance_sequence(run, extension.after, extended.seq, frame.path, inside)
        if result is PENDING:
            return PENDING
        if result.over:
            return result
        if extended.seq.index < len(extension.after):
            extended.output = result.output
        extended.seq = None
        extended.applied.pop()
    return Done(extended.output, extended.then)


def _applies(run: Run, extension: Extension, frame: TaskFrame, inside: Place) -> bool:
    if not _is_for(extension, frame.kind):
        return False
    return extension.when is None or truthy(run, extension.when, frame.input, Scope(run, inside, "body", frame))


def _is_for(extension: Extension, kind: str) -> bool:
    return extension.extend in {"all", kind} or kind in _WIDER.get(extension.extend, ())


EXTENDED_BODIES: Final = Bodies(_start, _advance)
