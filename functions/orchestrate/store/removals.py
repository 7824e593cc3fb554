"""Executions that are deleted, and what is left to be done about them elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from lowtide.model.base import ExecutionId

from .database import Tx

__all__ = ["Removal", "claim", "delete", "done", "fenced", "old", "outlook", "put_off", "remembers"]


@dataclass(frozen=True, slots=True)
class Removal:
    """A row of ``removals``. ``last``: its journal is fenced already; ``attempts`` counts this one."""

    execution: ExecutionId
    namespace: str
    last: bool
    attempts: int


# A parent that has not ended may ask for its child once more, and then must find that there was one. The ids are named
# again where they are known to be those of ``free``: so the indexes are used, whatever the planner thinks of the rest.
_DELETE: Final = text("""
    WITH free AS (
        SELECT id FROM executions AS one WHERE id = ANY(:ids) AND ended_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM executions WHERE id = one.parent AND ended_at IS NULL)
         ORDER BY id FOR UPDATE SKIP LOCKED
    ), sent AS (
        DELETE FROM outbox WHERE execution = ANY(:ids) AND execution IN (SELECT id FROM free)
           AND kind IN ('dispatch', 'cancel')
    ), kept AS (
        DELETE FROM kept_events WHERE execution = ANY(:ids) AND execution IN (SELECT id FROM free)
    ), letters AS (
        DELETE FROM dead_letters WHERE execution = ANY(:ids) AND execution IN (SELECT id FROM free)
    ), gone AS (
        DELETE FROM executions WHERE id IN (SELECT id FROM free) RETURNING id, namespace, workflow, dedupe
    )
    INSERT INTO removals (execution, namespace, workflow, dedupe, due)
    SELECT id, namespace, workflow, dedupe, clock_timestamp() FROM gone RETURNING execution::text
""")


async def delete(tx: Tx, executions: Collection[str]) -> list[ExecutionId]:
    """Delete those that have ended, whose parent has ended, and that nobody holds at this moment; which those were.

    All that control knows of them goes in the same statement, and the order to remove the rest comes.
    """
    rows = await tx.execute(_DELETE, {"ids": [UUID(one) for one in executions]})
    return [ExecutionId(row) for row in rows.scalars()]


_OLD: Final = text("""
    SELECT ended.id::text FROM workflow_versions AS version CROSS JOIN LATERAL (
        SELECT id FROM executions AS one
         WHERE workflow_version = version.id AND ended_at < now() - coalesce(version.retain, CAST(:retain AS interval))
           AND NOT EXISTS (SELECT FROM executions WHERE id = one.parent AND ended_at IS NULL)
         ORDER BY ended_at LIMIT :limit
    ) AS ended
    WHERE coalesce(version.retain, CAST(:retain AS interval)) IS NOT NULL LIMIT :limit
""")


async def old(tx: Tx, retain: timedelta | None, limit: int) -> Sequence[str]:
    """Executions that were kept long enough: as their version says, else for ``retain``, else for ever."""
    return (await tx.execute(_OLD, {"retain": retain, "limit": limit})).scalars().all()


_REMEMBERS: Final = text("""
    SELECT EXISTS (SELECT FROM removals WHERE namespace = :namespace AND workflow = :workflow AND dedupe = :dedupe)
        OR EXISTS (SELECT FROM executions WHERE namespace = :namespace AND workflow = :workflow AND dedupe = :dedupe)
""")


async def remembers(tx: Tx, namespace: str, workflow: str, dedupe: str) -> bool:
    """Whether this key has started an execution that is still there, or was deleted a short while ago.

    One statement sees both at one moment: between two, the one could become the other.
    """
    values = {"namespace": namespace, "workflow": workflow, "dedupe": dedupe}
    return bool((await tx.execute(_REMEMBERS, values)).scalar_one())


_CLAIM: Final = text("""
    UPDATE removals SET due = clock_timestamp() + make_interval(secs => :lease), attempts = attempts + 1
     WHERE execution IN (SELECT execution FROM removals WHERE due <= (SELECT clock_timestamp())
                          ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING execution::text, namespace, fenced_at IS NOT NULL, attempts
""")


async def claim(tx: Tx, lease: float, limit: int) -> list[Removal]:
    """Those that are due, ours for ``lease`` seconds."""
    return [Removal(*row) for row in await tx.execute(_CLAIM, {"lease": lease, "limit": limit})]


_FENCED: Final = text("""
    UPDATE removals SET fenced_at = clock_timestamp(), attempts = 0,
           due = clock_timestamp() + make_interval(secs => :seconds) WHERE execution = ANY(:ids)
""")


async def fenced(tx: Tx, executions: Collection[str], seconds: float) -> None:
    """Nothing of them can be written any more; in so many seconds nobody can try."""
    await tx.execute(_FENCED, {"ids": [UUID(one) for one in executions], "seconds": seconds})


async def done(tx: Tx, executions: Collection[str]) -> None:
    """Nothing of them is left anywhere."""
    statement = text("DELETE FROM removals WHERE execution = ANY(:ids)")
    await tx.execute(statement, {"ids": [UUID(one) for one in executions]})


async def put_off(tx: Tx, execution: str, seconds: float) -> None:
    statement = text("""
        UPDATE removals SET due = clock_timestamp() + make_interval(secs => :seconds) WHERE execution = :id""")
    await tx.execute(statement, {"id": UUID(execution), "seconds": seconds})


async def outlook(tx: Tx) -> float | None:
    """In how many seconds the next one is due; ``None`` where there is none."""
    statement = text("SELECT extract(epoch FROM min(due) - clock_timestamp()) FROM removals")
    seconds: Any = (await tx.execute(statement)).scalar_one()
    return None if seconds is None else float(seconds)
