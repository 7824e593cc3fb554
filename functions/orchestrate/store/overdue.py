"""Dispatches that were sent and have no outcome yet."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text, update

from lowtide.model.base import ExecutionId

from .database import Tx
from .tables import dispatches

__all__ = ["Overdue", "count_attempt", "overdue"]


@dataclass(frozen=True, slots=True)
class Overdue:
    """``due``: it has waited long enough to be sent again even if nobody ever opened it. ``attempts``: how often it had
    been issued again when it was found."""

    execution: ExecutionId
    epoch: int
    digest: str
    due: bool
    attempts: int


# What is still in the outbox, or waits to be admitted, has not been given up by the sender. A dispatch is left alone
# for its first seconds.
_OVERDUE = text("""
    SELECT d.execution::text, d.epoch, d.digest, d.next_try <= clock_timestamp(), d.attempts
    FROM dispatches d JOIN executions e ON e.id = d.execution AND e.epoch = d.epoch
    WHERE d.sent_at < clock_timestamp() - interval '15 s' AND e.phase IN ('pending', 'running')
      AND d.queued_at IS NULL
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.execution = d.execution AND o.kind = 'dispatch')
    ORDER BY d.next_try LIMIT :most
""")


async def overdue(tx: Tx, most: int) -> list[Overdue]:
    return [Overdue(*row) for row in await tx.execute(_OVERDUE, {"most": most})]


async def count_attempt(tx: Tx, execution: str, epoch: int, gone: str | None) -> None:
    """``gone``: the process whose end is the reason, where there is one."""
    mine = (dispatches.c.execution == execution) & (dispatches.c.epoch == epoch)
    await tx.execute(update(dispatches).where(mine).values(attempts=dispatches.c.attempts + 1, gone=gone))
