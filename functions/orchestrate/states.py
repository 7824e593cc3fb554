"""The state of a parked execution, wherever it is kept: in its row, or in the payload store."""

from __future__ import annotations

from lowtide.model.state import State
from lowtide.wire.claims import referred
from lowtide.wire.states import read

from .nouns import Execution, Unused
from .work import Work

__all__ = ["forget_dispatch", "forget_state", "state_of"]


async def state_of(work: Work, execution: Execution) -> State | None:
    """``None`` where it never parked. Orchestrate needs it only where an operator asks something of an execution, and
    for lifecycle events of tasks. Raises :class:`lowtide.errors.PayloadLost`, :class:`lowtide.errors.Unavailable`."""
    if execution.state is None:
        return None
    return read(await work.claims.check_out(execution.namespace, execution.id, execution.state))


def forget_state(work: Work, before: Execution, state: bytes | None = None) -> None:
    """``state`` follows on what was there before: that is dropped after the commit.

    Should this process die before, it stays until the execution's payloads are dropped altogether.
    """
    payload = referred(before.state) if before.state else None
    if payload is not None and before.state != state:
        work.after.unused.append(Unused(before.namespace, before.id, payload.sha256))


def forget_dispatch(work: Work, execution: Execution, digest: str, size: int) -> None:
    """Likewise a dispatch whose invocation has ended; its payload has the digest of its body."""
    if size > work.claims.above:
        work.after.unused.append(Unused(execution.namespace, execution.id, digest))
