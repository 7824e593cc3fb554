"""Starts that wait for no other to come, and are replaced by one that does."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lowtide.model.base import ExecutionId

from ..nouns import Execution
from . import executions
from .database import Tx
from .rows import rows_of

__all__ = ["Debounced", "lock_waiting", "waiting"]


@dataclass(frozen=True, slots=True)
class Debounced:
    """``since``: when the first of those that replaced each other began to wait."""

    execution: ExecutionId
    mark: str
    since: datetime


_WAITING = """
SELECT execution, debounce, queued_at FROM dispatches
 WHERE debounce = ANY(%b::text[]) AND queued_at IS NOT NULL AND epoch = 1
"""


async def waiting(tx: Tx, marks: Collection[str]) -> list[Debounced]:
    """Those that wait with these marks."""
    if not marks:
        return []
    return [Debounced(ExecutionId(str(row[0])), *row[1:]) for row in await rows_of(tx, _WAITING, [list(marks)])]


_STILL = "SELECT epoch FROM dispatches WHERE execution = %b AND queued_at IS NOT NULL FOR UPDATE"


async def lock_waiting(tx: Tx, execution: str) -> Execution | None:
    """The execution, locked, if its start still waits; nobody can admit it then."""
    found = await executions.lock(tx, execution)
    if found is None or found[0].ended or not await rows_of(tx, _STILL, [UUID(execution)]):
        return None
    return found[0]
