"""One file per task kind; the listing is the feature list. Each has the same two verbs:

    start(run, task, frame, place)   -> Result     the task was entered: make the frame's body, go as far as possible
    advance(run, task, frame, place) -> Result     events arrived, or a new turn began

A result is ``Done(output, then)`` or ``PENDING``; errors are raised as ``TaskFailed``.
"""

from __future__ import annotations

from typing import assert_never

from lowtide.engine.run import Bodies, Place, Result, Run
from lowtide.engine.tasks import (
    call,
    container,
    do,
    emit,
    fork,
    listen,
    loop,
    process,
    raise_,
    set_,
    switch,
    try_,
    wait,
    workflow,
)
from lowtide.model.plan import (
    Call,
    Do,
    Emit,
    For,
    Fork,
    Listen,
    Raise,
    RunProcess,
    RunWorkflow,
    Set,
    Switch,
    Task,
    Try,
    Wait,
)
from lowtide.model.state import TaskFrame

__all__ = ["BODIES"]


def _start(run: Run, task: Task, frame: TaskFrame, place: Place) -> Result:
    match task:
        case Set():
            return set_.start(run, task, frame, place)
        case Switch():
            return switch.start(run, task, frame, place)
        case Do():
            return do.start(run, task, frame, place)
        case For():
            return loop.start(run, task, frame, place)
        case Fork():
            return fork.start(run, task, frame, place)
        case Try():
            return try_.start(run, task, frame, place)
        case Call():
            return call.start(run, task, frame, place)
        case Wait():
            return wait.start(run, task, frame, place)
        case Emit():
            return emit.start(run, task, frame, place)
        case Listen():
            return listen.start(run, task, frame, place)
        case Raise():
            return raise_.start(run, task, frame, place)
        case RunWorkflow():
            return workflow.start(run, task, frame, place)
        case RunProcess(process="container"):
            return container.start(run, task, frame, place)
        case RunProcess():
            return process.start(run, task, frame, place)
        case _:
            assert_never(task)


def _advance(run: Run, task: Task, frame: TaskFrame, place: Place) -> Result:
    match task:
        case Do():
            return do.advance(run, task, frame, place)
        case For():
            return loop.advance(run, task, frame, place)
        case Fork():
            return fork.advance(run, task, frame, place)
        case Try():
            return try_.advance(run, task, frame, place)
        case Call():
            return call.advance(run, task, frame, place)
        case Wait():
            return wait.advance(run, task, frame, place)
        case Emit():
            return emit.advance(run, task, frame, place)
        case Listen():
            return listen.advance(run, task, frame, place)
        case RunWorkflow():
            return workflow.advance(run, task, frame, place)
        case RunProcess(process="container"):
            return container.advance(run, task, frame, place)
        case RunProcess():
            return process.advance(run, task, frame, place)
        case Set() | Switch() | Raise():
            raise AssertionError(f"{frame.kind} tasks end in the turn that enters them")
        case _:
            assert_never(task)


BODIES = Bodies(_start, _advance)
