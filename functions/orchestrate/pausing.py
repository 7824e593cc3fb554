"""Pause and resume of a workflow or a whole namespace, and limits that an operator sets.

While it is paused, starts are taken and wait; what has begun goes on. Each change waits for an admission that is under
way, so that none goes by what was before.
"""

from __future__ import annotations

from lowtide.model.limits import Limits
from lowtide.wire import json

from .store import gates, lanes
from .work import Work

__all__ = ["pause", "resume", "set_limits"]


async def pause(work: Work, namespace: str, workflow: str, reason: str) -> None:
    """``workflow`` may be the :data:`.store.gates.WHOLE` namespace. Starts that nobody has sent yet wait too."""
    await lanes.lock(work.tx)
    await gates.pause(work.tx, namespace, workflow, reason)
    await gates.take_back_starts(work.tx, namespace, workflow)


async def resume(work: Work, namespace: str, workflow: str, ramp: float | None) -> None:
    """Let starts through again: at once, or ``ramp`` per second until none waits any more."""
    await lanes.lock(work.tx)
    if await gates.resume(work.tx, namespace, workflow, ramp):
        await gates.end_ramps(work.tx)
        await lanes.look_again(work.tx, gates.prefix_of(namespace, workflow))
        work.after.queued = True


async def set_limits(work: Work, namespace: str, workflow: str, limits: Limits | None) -> None:
    """Limits that replace the document's (``None``: those hold again). What waits goes by them at once."""
    await lanes.lock(work.tx)
    await gates.set_limits(work.tx, namespace, workflow, None if limits is None else json.encode(limits))
    await lanes.look_again(work.tx, gates.prefix_of(namespace, workflow))
    work.after.queued = True
