"""The tree of frames as a tree: copying it, walking it, cancelling parts of it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Final, assert_never

from lowtide.engine.run import Run, frame_id
from lowtide.model.state import (
    Body,
    Branch,
    CallBody,
    DoBody,
    Extended,
    ForBody,
    ForkBody,
    FunctionBody,
    ListenBody,
    Sequence,
    State,
    SubscriptionBody,
    TaskFrame,
    TryBody,
    WaitBody,
)

__all__ = [
    "DEADLINE",
    "attempt_id",
    "batch_id",
    "cancel_frame",
    "cancel_sequence",
    "copy_state",
    "frames_of",
    "open_frames",
    "retract_frame",
    "retry_id",
]

DEADLINE: Final = "!deadline"
"""Suffix of the id of a frame's deadline."""


def copy_state(state: State) -> State:
    """A copy whose frames may be changed; JSON values are shared."""
    twin = copy(state)
    twin.root = _copy_sequence(state.root)
    twin.pending = dict(state.pending)
    twin.correlations = dict(state.correlations)
    return twin


def _copy_sequence(sequence: Sequence | None) -> Sequence | None:
    if sequence is None:
        return None
    twin = copy(sequence)
    twin.child = _copy_frame(sequence.child)
    return twin


def _copy_frame(frame: TaskFrame | None) -> TaskFrame | None:
    if frame is None:
        return None
    twin = copy(frame)
    twin.body = None if frame.body is None else _copy_body(frame.body)
    twin.extended = None if frame.extended is None else _copy_extended(frame.extended)
    return twin


def _copy_extended(extended: Extended) -> Extended:
    twin = copy(extended)
    twin.applied = list(extended.applied)
    twin.seq = _copy_sequence(extended.seq)
    return twin


def _copy_branch(branch: Branch) -> Branch:
    twin = copy(branch)
    twin.frame = _copy_frame(branch.frame)
    return twin


def _copy_body(body: Body) -> Body:
    twin = copy(body)
    match twin:
        case CallBody() | WaitBody():
            pass
        case FunctionBody():
            twin.child = _copy_frame(twin.child)
        case DoBody():
            twin.seq = _copy_sequence(twin.seq) or twin.seq
        case ForBody() | TryBody():
            twin.seq = _copy_sequence(twin.seq)
        case ListenBody():
            twin.seq = _copy_sequence(twin.seq)
            twin.consumed = list(twin.consumed)
            twin.filters = list(twin.filters)
            twin.until = list(twin.until)
            twin.keys = dict(twin.keys)
            twin.outputs = list(twin.outputs)
        case SubscriptionBody():
            twin.seq = _copy_sequence(twin.seq)
            twin.outputs = list(twin.outputs)
        case ForkBody():
            twin.branches = [_copy_branch(branch) for branch in twin.branches]
        case _:
            assert_never(twin)
    return twin


def frames_of(frame: TaskFrame) -> Iterator[TaskFrame]:
    """The frames directly below a frame."""
    if frame.extended is not None and frame.extended.seq is not None and frame.extended.seq.child is not None:
        yield frame.extended.seq.child
    body = frame.body
    match body:
        case None | CallBody() | WaitBody():
            return
        case FunctionBody():
            if body.child is not None:
                yield body.child
        case DoBody() | ForBody() | TryBody() | ListenBody() | SubscriptionBody():
            if body.seq is not None and body.seq.child is not None:
                yield body.seq.child
        case ForkBody():
            for branch in body.branches:
                if branch.frame is not None:
                    yield branch.frame
        case _:
            assert_never(body)


def open_frames(state: State) -> Iterator[TaskFrame]:
    """Every task that is under way, outer ones before what they contain."""

    def below(frame: TaskFrame) -> Iterator[TaskFrame]:
        yield frame
        for inner in frames_of(frame):
            yield from below(inner)

    if state.root is not None and state.root.child is not None:
        yield from below(state.root.child)


def retract_frame(run: Run, frame: TaskFrame) -> None:
    """No command of this frame is wanted any longer: its own, its deadline, its retry's delay."""
    run.retract(frame_id(frame))
    run.retract(frame_id(frame) + DEADLINE)
    if isinstance(frame.body, TryBody):
        run.retract(retry_id(frame, frame.body))
        run.retract(attempt_id(frame, frame.body))
    if isinstance(frame.body, SubscriptionBody):
        run.retract(batch_id(frame, frame.body))


def retry_id(frame: TaskFrame, body: TryBody) -> str:
    """The id of the delay after this attempt. Numbered: an old timer that fires late must not end a newer delay."""
    return f"{frame_id(frame)}!retry{body.attempt}"


def attempt_id(frame: TaskFrame, body: TryBody) -> str:
    """The id of this attempt's own deadline."""
    return f"{frame_id(frame)}!attempt{body.attempt}"


def batch_id(frame: TaskFrame, body: SubscriptionBody) -> str:
    """The id of the command that asks for a subscription's next messages."""
    return f"{frame_id(frame)}!batch{body.batch}"


def cancel_frame(run: Run, frame: TaskFrame, *, inner_only: bool = False) -> None:
    """Cancel a frame and all below it, innermost first; ``inner_only`` leaves the frame's own fact to the caller."""
    for inner in frames_of(frame):
        cancel_frame(run, inner)
    retract_frame(run, frame)
    frame.body = frame.extended = None
    if not inner_only:
        run.fact(frame, "cancelled")


def cancel_sequence(run: Run, sequence: Sequence | None) -> None:
    if sequence is not None and sequence.child is not None:
        cancel_frame(run, sequence.child)
        sequence.child = None
