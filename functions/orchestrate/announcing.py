"""Lifecycle events on their way to the world: what is asked for, and how the outbox holds them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lowtide.engine.frames import open_frames
from lowtide.engine.run import frame_id
from lowtide.errors import LowtideError
from lowtide.model.base import Millis
from lowtide.wire.cloudevents import BATCH, CloudEvent, read_all, to_batch
from lowtide.wire.lifecycle import About, level_of, of_rest
from lowtide.wire.records import Change, Subject
from lowtide.wire.types import wants

from .nouns import Execution
from .states import state_of
from .store import outbox
from .work import Work

__all__ = ["about", "body_of", "events_in", "rest_of", "tell"]

log = logging.getLogger("lowtide.orchestrate")


async def about(work: Work, execution: Execution) -> About:
    """The execution, and what its document and the deployment want to be told of it."""
    plan = await work.plans.get(work.tx, execution.workflow_version)
    return About(
        subject=Subject(execution.namespace, execution.workflow, execution.version, execution.id),
        level=level_of(plan.definition, work.terms.lifecycle),
        traceparent=execution.traceparent,
        echo=execution.echo,
        secretive=bool(plan.secrets),
    )


async def tell(work: Work, execution: Execution, events: Sequence[CloudEvent]) -> None:
    """Put events into the outbox; they are published after the commit."""
    body = body_of(events)
    if body is not None:
        await outbox.add(work.tx, "lifecycle", execution.id, body=body)
        work.after.lifecycle = True


async def rest_of(
    work: Work, whom: About, before: Change | None, after: Change, execution: Execution, at: Millis
) -> tuple[CloudEvent, ...]:
    """The tasks under way of an execution that is suspended, or goes on after it was."""
    if before is None or before.phase == after.phase or execution.state is None or not wants(whom.level, "task"):
        return ()
    resumed = before.phase == "suspended" and after.ended_at is None
    if after.phase != "suspended" and not resumed:
        return ()
    try:
        state = await state_of(work, execution)
    except LowtideError as error:  # events that nothing waits for
        log.warning(
            "the tasks of execution %s are not told to be %s: %s",
            execution.id,
            after.phase,
            error,
            extra={"execution": execution.id},
        )
        return ()
    assert state is not None
    entries = [(frame_id(frame), frame.ref) for frame in open_frames(state)]
    return of_rest(whom, "resumed" if resumed else "suspended", entries, at, state.facts, after.number)


def body_of(events: Sequence[CloudEvent]) -> bytes | None:
    """Events in their order as one outbox row's body; ``None`` where there are none."""
    return to_batch(events)[1] if events else None


def events_in(body: bytes) -> tuple[CloudEvent, ...]:
    return read_all({"content-type": BATCH}, body)
