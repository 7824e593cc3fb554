"""``fork``: branches side by side, each with a context of its own until the join (decision A-7)."""

from __future__ import annotations

import msgspec

from lowtide.engine.flow import advance_task, enter_task, new_frame
from lowtide.engine.frames import cancel_frame
from lowtide.engine.run import PENDING, Done, Place, Result, Run
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import Error
from lowtide.model.plan import Fork
from lowtide.model.state import Branch, ForkBody, TaskFrame

__all__ = ["advance", "merge_contexts", "start"]


def start(run: Run, task: Fork, frame: TaskFrame, place: Place) -> Result:
    frame.body = ForkBody(branches=[Branch(context=place.holder.context) for _ in task.branches])
    return advance(run, task, frame, place)


def advance(run: Run, task: Fork, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, ForkBody)
    lost: Error | None = None
    for index, branch in enumerate(body.branches):
        if not _can_move(run, branch):
            continue
        result = _advance_branch(run, task, frame, place, index)
        lost = branch.error or lost
        if branch.status == "faulted" and not task.compete:
            assert branch.error is not None
            _cancel_others(run, body, branch)
            raise TaskFailed(branch.error)
        if result is PENDING:
            continue
        if result.ends or task.compete:
            _cancel_others(run, body, branch)
            place.holder.context = branch.context
            return Done(branch.output, over=result.ends)
    if run.more or any(branch.status in {"ready", "blocked"} for branch in body.branches):
        return PENDING
    if task.compete and lost is not None:
        # Nobody completed, else the race would have ended there: the error of the last to fail is the fork's.
        raise TaskFailed(lost)
    return _join(body, place)


def _can_move(run: Run, branch: Branch) -> bool:
    if branch.status == "ready":
        return True
    return branch.status == "blocked" and branch.frame is not None and run.concerns(branch.frame.ref)


def _advance_branch(run: Run, task: Fork, frame: TaskFrame, place: Place, index: int) -> Result:
    body = frame.body
    assert isinstance(body, ForkBody)
    branch, child = body.branches[index], task.branches[index]
    inside = Place(branch, place.variables, place.attempt, place.rebase, place.subject)
    try:
        if branch.frame is None:
            if run.pause():
                return PENDING
            branch.frame = new_frame(run, child, frame.input, f"{frame.path}.1", inside)
            result = enter_task(run, child, branch.frame, inside)
        else:
            result = advance_task(run, child, branch.frame, inside)
    except TaskFailed as failure:
        branch.status, branch.error, branch.frame = "faulted", failure.error, None
        return PENDING
    if result is PENDING:
        branch.status = "ready" if run.more else "blocked"
        return PENDING
    branch.status, branch.output, branch.frame = "completed", result.output, None
    return result


def _cancel_others(run: Run, body: ForkBody, winner: Branch) -> None:
    for branch in body.branches:
        if branch is winner or branch.status not in {"ready", "blocked"}:
            continue
        if branch.frame is not None:
            cancel_frame(run, branch.frame)
        branch.status, branch.frame = "cancelled", None


def _join(body: ForkBody, place: Place) -> Result:
    place.holder.context = merge_contexts(place.holder.context, [branch.context for branch in body.branches])
    return Done([branch.output for branch in body.branches])


def merge_contexts(base: JSON, contexts: list[JSON]) -> JSON:
    """Key by key in declaration order: a branch brings the keys that it changed; whole values where not objects."""
    merged = base
    for context in contexts:
        if _same(context, base):
            continue
        if not isinstance(merged, dict) or not isinstance(context, dict):
            merged = context
            continue
        before = base if isinstance(base, dict) else {}
        changed = {key: value for key, value in context.items() if key not in before or not _same(before[key], value)}
        kept = {key: value for key, value in merged.items() if key in context or key not in before}
        merged = {**kept, **changed}
    return merged


def _same(left: JSON, right: JSON) -> bool:
    """Equal as JSON: Python also takes ``true`` for 1."""
    return bool(left == right) and _encode(left) == _encode(right)


_encode = msgspec.json.Encoder(order="deterministic").encode
