"""What operators say of workflows and namespaces: paused, let through by and by, limits of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from .database import Tx
from .limit_tables import gates
from .rows import columns_of, perform, rows_of

__all__ = [
    "WHOLE",
    "Gate",
    "Rule",
    "end_ramps",
    "find",
    "lock_starts",
    "of_namespace",
    "pause",
    "prefix_of",
    "resume",
    "rules_of",
    "set_limits",
    "take_back_starts",
]

WHOLE: Final = ""
"""Stands for the whole namespace where a workflow is named."""


@dataclass(frozen=True, slots=True)
class Gate:
    """``ramp``: starts per second that are let through. ``limits``: JSON of an operator's."""

    workflow: str
    paused_at: datetime | None
    reason: str | None
    ramp: float | None
    limits: bytes | None


@dataclass(frozen=True, slots=True)
class Rule:
    """What the starts of a workflow go by: its newest version, what is paused, both ramps, an operator's limits."""

    version: int
    paused: bool
    ramp: float | None
    ramp_of_namespace: float | None
    limits: bytes | None


def prefix_of(namespace: str, workflow: str) -> str:
    """How the lanes of a workflow, or of a whole namespace, begin."""
    return f"{namespace}/{workflow}/" if workflow else f"{namespace}/"


_GATE = [gates.c[name] for name in Gate.__dataclass_fields__]


async def find(tx: Tx, namespace: str, workflow: str) -> Gate | None:
    statement = select(*_GATE).where(gates.c.namespace == namespace, gates.c.workflow == workflow)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Gate(*row)


async def of_namespace(tx: Tx, namespace: str, workflows: Collection[str]) -> dict[str, Gate]:
    """The gates of these workflows, and of the namespace itself."""
    wanted = gates.c.workflow.in_([WHOLE, *workflows])
    rows = await tx.execute(select(*_GATE).where(gates.c.namespace == namespace, wanted))
    return {row.workflow: Gate(*row) for row in rows}


_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended(name, 20)) FROM unnest(%b::text[]) WITH ORDINALITY AS given (name, place)
 ORDER BY place
"""


async def lock_starts(tx: Tx, named: Collection[tuple[str, str]]) -> None:
    """One at a time starts executions of these workflows, until the transaction ends."""
    if named:
        await rows_of(tx, _LOCK, [[prefix_of(*one) for one in sorted(named)]])


_RULES = """
SELECT given.namespace, given.workflow,
       (SELECT id FROM workflow_versions AS version
         WHERE version.namespace = given.namespace AND version.name = given.workflow
         ORDER BY deleted_at IS NOT NULL, id DESC LIMIT 1),
       own.paused_at IS NOT NULL OR whole.paused_at IS NOT NULL, own.ramp, whole.ramp, own.limits
  FROM unnest(%b::text[], %b::text[]) AS given (namespace, workflow)
  LEFT JOIN gates AS own ON own.namespace = given.namespace AND own.workflow = given.workflow
  LEFT JOIN gates AS whole ON whole.namespace = given.namespace AND whole.workflow = ''
"""


async def rules_of(tx: Tx, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Rule]:
    """By namespace and workflow; the version is the newest, also where none is shown any more."""
    rows = await rows_of(tx, _RULES, columns_of(named, 2))
    return {(row[0], row[1]): Rule(*row[2:]) for row in rows}


async def pause(tx: Tx, namespace: str, workflow: str, reason: str) -> None:
    """Starts wait from now on; where they do already, the first reason stays."""
    now = func.clock_timestamp()
    statement = upsert(gates).values(namespace=namespace, workflow=workflow, paused_at=now, reason=reason, ramp=None)
    values = {"paused_at": now, "reason": reason, "ramp": None}
    paused = statement.on_conflict_do_update(
        index_elements=[gates.c.namespace, gates.c.workflow], set_=values, where=gates.c.paused_at.is_(None)
    )
    await tx.execute(paused)


async def resume(tx: Tx, namespace: str, workflow: str, ramp: float | None) -> bool:
    """Let starts through again, ``ramp`` per second; whether it was paused or let them through by and by."""
    mine = (gates.c.namespace == namespace) & (gates.c.workflow == workflow)
    held = gates.c.paused_at.is_not(None) | gates.c.ramp.is_not(None)
    statement = update(gates).where(mine, held).values(paused_at=None, reason=None, ramp=ramp)
    resumed = (await tx.execute(statement.returning(gates.c.workflow))).first() is not None
    await _forget(tx)
    return resumed


async def set_limits(tx: Tx, namespace: str, workflow: str, limits: bytes | None) -> None:
    """An operator's limits; ``None``: those of the document hold again."""
    statement = upsert(gates).values(namespace=namespace, workflow=workflow, limits=limits)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=[gates.c.namespace, gates.c.workflow], set_={"limits": limits})
    )
    await _forget(tx)


async def _forget(tx: Tx) -> None:
    says_nothing = gates.c.paused_at.is_(None) & gates.c.ramp.is_(None) & gates.c.limits.is_(None)
    await tx.execute(delete(gates).where(says_nothing))


_END_RAMPS = """
UPDATE gates SET ramp = NULL WHERE ramp IS NOT NULL AND NOT EXISTS (
    SELECT FROM dispatches
     WHERE queued_at IS NOT NULL AND rank > 0
       AND lane >= gates.namespace || '/' || CASE gates.workflow WHEN '' THEN '' ELSE gates.workflow || '/' END
       AND lane < gates.namespace || CASE gates.workflow WHEN '' THEN '0' ELSE '/' || gates.workflow || '0' END)
"""


async def end_ramps(tx: Tx) -> None:
    """Where nothing waits any more, starts need no longer be let through one by one."""
    if await perform(tx, _END_RAMPS, None):
        await _forget(tx)


# The outbox before the dispatches, as those do who send them.
_TAKE_BACK = """
WITH taken AS (
    DELETE FROM outbox USING executions, dispatches
     WHERE outbox.kind = 'dispatch' AND outbox.attempts = 0 AND outbox.epoch = 1 AND outbox.namespace = %(namespace)s
       AND executions.id = outbox.execution AND executions.phase = 'pending'
       AND (%(workflow)s = '' OR executions.workflow = %(workflow)s)
       AND dispatches.execution = outbox.execution AND dispatches.epoch = 1 AND dispatches.sent_at IS NULL
    RETURNING outbox.execution, executions.namespace || '/' || executions.workflow || '//' AS lane
)
UPDATE dispatches SET lane = coalesce(dispatches.lane, taken.lane), rank = coalesce(nullif(rank, 0), 101),
                      queued_at = issued_at, look_at = NULL
  FROM taken WHERE dispatches.execution = taken.execution AND dispatches.epoch = 1
"""


async def take_back_starts(tx: Tx, namespace: str, workflow: str) -> int:
    """Let starts that nobody has sent yet wait; how many."""
    return await perform(tx, _TAKE_BACK, {"namespace": namespace, "workflow": workflow})
