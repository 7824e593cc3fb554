"""The outbox. Rows are claimed by moving ``not_before`` on in a committed update."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import delete, func, insert, select, text, update

from lowtide.model.base import ExecutionId

from ..nouns import Execution, Order
from .database import Driver, Tx
from .rows import rows_of
from .tables import dispatches, outbox

__all__ = [
    "KINDS",
    "Kind",
    "ToSend",
    "add",
    "add_change",
    "add_outline",
    "change_rows",
    "claim",
    "claim_dispatches",
    "drop_dispatch",
    "hurry",
    "issue",
    "next_due",
    "settle",
    "take_back_dispatch",
]

Kind = Literal["dispatch", "change", "cancel", "lifecycle", "outline"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_CLAIM_ORDER = 0x10_71_DE_13

_OF_NO_EXECUTION: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class ToSend:
    """One claimed row of the outbox. ``attempts`` counts this one; ``order`` is set for a dispatch."""

    id: int
    execution: ExecutionId
    attempts: int
    body: bytes = b""
    order: Order | None = None


async def add(tx: Tx, kind: Kind, execution: str, *, body: bytes) -> None:
    await tx.execute(insert(outbox).values(kind=kind, execution=execution, body=body))


async def add_outline(tx: Tx, workflow_version: int) -> None:
    """Analytics is to be told what the version is made of."""
    await add(tx, "outline", _OF_NO_EXECUTION, body=str(workflow_version).encode())


async def issue(tx: Tx, execution: Execution, not_before: datetime | None = None) -> None:
    """Have the newest dispatch of an execution sent, and nothing else of it."""
    await drop_dispatch(tx, execution.id)
    values: dict[str, Any] = {"kind": "dispatch", "execution": execution.id, "epoch": execution.epoch}
    if not_before is not None:
        values["not_before"] = not_before
    await tx.execute(insert(outbox).values(**values, namespace=execution.namespace))


async def add_change(tx: Tx, execution: str, epoch: int, note: bytes, told: bytes | None) -> None:
    """A note for ingest, and what the world is told of the same change."""
    await tx.execute(insert(outbox).values(change_rows(execution, epoch, note, told)))


def change_rows(execution: str, epoch: int, note: bytes, told: bytes | None) -> list[dict[str, Any]]:
    """The rows of one change: for ingest, and the lifecycle events where there are any."""
    rows = [{"kind": "change", "execution": execution, "epoch": epoch, "body": note}]
    if told is not None:
        rows.append({"kind": "lifecycle", "execution": execution, "epoch": epoch, "body": told})
    return rows


_CLAIM: Final = """
    UPDATE outbox SET not_before = clock_timestamp() + make_interval(secs => %b), attempts = attempts + 1
    WHERE id IN (
        SELECT id FROM outbox WHERE kind = %b AND not_before <= (SELECT clock_timestamp())
        ORDER BY not_before LIMIT %b FOR UPDATE SKIP LOCKED)
    RETURNING id, execution::text, attempts, coalesce(body, '')
"""


async def claim(driver: Driver, kind: Kind, lease: float, limit: int) -> list[ToSend]:
    """Rows that are due, ours for ``lease`` seconds, oldest first."""
    return [ToSend(*row) for row in sorted(await rows_of(driver, _CLAIM, [lease, kind, limit]))]


# A dispatch that was sent before may always be sent again; a new one only while fewer than :most are outstanding, and
# then namespaces take turns, so that none waits behind the flood of another.
_CLAIM_DISPATCHES = text("""
    WITH RECURSIVE room AS (
        SELECT greatest(0, :most - count(*)) AS free
        FROM (SELECT FROM dispatches WHERE sent_at IS NOT NULL LIMIT :most) AS outstanding
    ), spaces AS (
        SELECT min(namespace) AS name FROM outbox WHERE kind = 'dispatch'
        UNION ALL
        SELECT (SELECT min(namespace) FROM outbox WHERE kind = 'dispatch' AND namespace > spaces.name)
        FROM spaces WHERE spaces.name IS NOT NULL
    ), due AS (
        SELECT o.id, o.namespace, o.not_before, d.sent_at IS NULL AS fresh
        FROM spaces CROSS JOIN LATERAL (
            SELECT * FROM outbox
            WHERE kind = 'dispatch' AND namespace = spaces.name AND not_before <= (SELECT clock_timestamp())
            ORDER BY not_before LIMIT :limit) AS o
        JOIN dispatches d ON d.execution = o.execution AND d.epoch = o.epoch
        WHERE (SELECT free FROM room) > 0
        UNION ALL
        SELECT o.id, o.namespace, o.not_before, false
        FROM dispatches d JOIN outbox o ON o.execution = d.execution AND o.epoch = d.epoch
        WHERE (SELECT free FROM room) = 0 AND d.sent_at IS NOT NULL
          AND o.kind = 'dispatch' AND o.not_before <= clock_timestamp()
    ), chosen AS (
        SELECT id FROM (
            SELECT id, fresh, row_number() OVER (
                PARTITION BY fresh ORDER BY turn, namespace <= :after, namespace) AS place FROM (
                SELECT *, row_number() OVER (PARTITION BY namespace, fresh ORDER BY not_before, id) AS turn FROM due
            ) AS turns
        ) AS numbered
        WHERE NOT fresh OR place <= (SELECT free FROM room)
        ORDER BY fresh, place LIMIT :limit
    ), ours AS (
        SELECT id FROM outbox WHERE id IN (SELECT id FROM chosen) FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE outbox o SET not_before = clock_timestamp() + make_interval(secs => :lease), attempts = attempts + 1
        FROM ours WHERE o.id = ours.id
        RETURNING o.id, o.execution, o.epoch, o.attempts
    )
    UPDATE dispatches d
    SET sent_at = coalesce(d.sent_at, clock_timestamp()),
        next_try = clock_timestamp() + make_interval(secs => :lost_after * power(2, least(d.attempts, 10)))
    FROM claimed c JOIN executions e ON e.id = c.execution
    WHERE d.execution = c.execution AND d.epoch = c.epoch
    RETURNING c.id, c.attempts, c.execution::text, c.epoch, d.body, d.digest, e.namespace, e.workflow, e.traceparent
""")


async def claim_dispatches(tx: Tx, lease: float, limit: int, most: int, lost_after: float, after: str) -> list[ToSend]:
    """Dispatches that are due, ours for ``lease`` seconds.

    At most ``most`` are with the Broker at any time. Namespaces take turns, beginning behind ``after``.
    """
    await tx.execute(text("SELECT pg_advisory_xact_lock(:order)"), {"order": _CLAIM_ORDER})
    values = {"most": most, "limit": limit, "lease": lease, "lost_after": lost_after, "after": after}
    rows = await tx.execute(_CLAIM_DISPATCHES, values)
    orders = [(row[0], row[1], Order(*row[2:])) for row in sorted(rows, key=lambda row: row.id)]
    return [ToSend(row, order.execution, attempts, order=order) for row, attempts, order in orders]


# The statement sees the rows as they were: those that it moves are counted by their new moments.
_SETTLE: Final = """
    WITH gone AS (
        DELETE FROM outbox WHERE id = ANY(%(done)b::bigint[])
    ), moved AS (
        UPDATE outbox SET not_before = clock_timestamp() + make_interval(secs => later.seconds)
        FROM unnest(%(ids)b::bigint[], %(seconds)b::float8[]) AS later (id, seconds)
        WHERE outbox.id = later.id RETURNING outbox.not_before
    )
    SELECT extract(epoch FROM least(
        (SELECT min(not_before) FROM moved),
        (SELECT min(not_before) FROM outbox
          WHERE kind = %(kind)b AND id <> ALL(%(done)b::bigint[]) AND id <> ALL(%(ids)b::bigint[]))
    ) - clock_timestamp())::float8
"""


async def settle(
    driver: Driver, kind: Kind, done: Collection[int], moments: Collection[tuple[int, float]]
) -> float | None:
    """Remove rows (by id) that were sent, and let others come again after so many seconds.

    In how many seconds the next row of this kind is due then; ``None`` where there is none.
    """
    ids, seconds = [row for row, _ in moments], [pause for _, pause in moments]
    values = {"kind": kind, "done": list(done), "ids": ids, "seconds": seconds}
    rows: list[tuple[float | None]] = await rows_of(driver, _SETTLE, values)
    return rows[0][0]


async def hurry(tx: Tx, execution: str, epoch: int) -> None:
    """The dispatch goes to the Broker now."""
    mine = (outbox.c.kind == "dispatch") & (outbox.c.execution == execution) & (outbox.c.epoch == epoch)
    await tx.execute(update(outbox).where(mine).values(not_before=func.clock_timestamp()))


async def drop_dispatch(tx: Tx, execution: str) -> None:
    """Whatever still wants to send a dispatch of this execution."""
    await tx.execute(delete(outbox).where(outbox.c.execution == execution, outbox.c.kind == "dispatch"))


async def take_back_dispatch(tx: Tx, execution: str, epoch: int) -> bool:
    """Remove a dispatch that nobody has sent or is sending; ``False`` where it may be out.

    One that waits to be admitted is in no outbox; its row is locked, so that nobody admits it meanwhile.
    """
    stored = dispatches.c.execution == execution, dispatches.c.epoch == epoch
    waits = select(dispatches.c.epoch).where(*stored, dispatches.c.queued_at.is_not(None)).with_for_update()
    if (await tx.execute(waits)).first() is not None:
        return True
    unsent = select(dispatches.c.execution).where(*stored, dispatches.c.sent_at.is_(None))
    mine = (outbox.c.kind == "dispatch") & (outbox.c.execution == execution) & (outbox.c.epoch == epoch)
    statement = delete(outbox).where(mine, outbox.c.attempts == 0, outbox.c.execution.in_(unsent))
    return (await tx.execute(statement.returning(outbox.c.id))).first() is not None


_NEXT_DUE: Final = """
    SELECT extract(epoch FROM min(not_before) - clock_timestamp())::float8 FROM outbox WHERE kind = %b
"""


async def next_due(driver: Driver, kind: Kind) -> float | None:
    """Seconds until the next row of this kind is due; ``None`` where there is none."""
    rows: list[tuple[float | None]] = await rows_of(driver, _NEXT_DUE, [kind])
    return rows[0][0]
