"""What every execution needs, for many of them at once: their starts in one statement, their ends in three."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from lowtide.model.base import ExecutionId

from ..nouns import Deployed, Execution, Note
from .database import Tx
from .rows import TELL, columns_of, columns_of_notes, rows_of

__all__ = [
    "Beginning",
    "Standing",
    "begin",
    "end",
    "ended_among",
    "find_deployed",
    "known",
    "lock",
    "standings",
]

_ALL: Final = ", ".join(Execution.__dataclass_fields__)


# The version that is named, or the one that was deployed last; the time even where there is none.
_FIND_DEPLOYED = """
SELECT wanted.place, found.id, found.namespace, found.name, found.version,
       EXISTS (SELECT FROM gates WHERE gates.namespace = wanted.namespace AND gates.workflow IN ('', wanted.name)
                                   AND (paused_at IS NOT NULL OR ramp IS NOT NULL)),
       (SELECT limits FROM gates WHERE gates.namespace = wanted.namespace AND gates.workflow = wanted.name),
       clock_timestamp()
  FROM unnest(%b::text[], %b::text[], %b::text[]) WITH ORDINALITY AS wanted (namespace, name, version, place)
  LEFT JOIN LATERAL (
       SELECT id, namespace, name, version FROM workflow_versions
        WHERE namespace = wanted.namespace AND name = wanted.name AND deleted_at IS NULL
          AND (wanted.version IS NULL OR version = wanted.version)
        ORDER BY id DESC LIMIT 1 FOR KEY SHARE) AS found ON true
 ORDER BY wanted.place
"""


async def find_deployed(
    tx: Tx, wanted: Sequence[tuple[str, str, str | None]]
) -> tuple[list[Deployed | None], datetime]:
    """Which versions are meant by (namespace, name, version), in this order, and the database's time.

    None of them is removed before the transaction ends. One that was just being removed leaves its place empty, which
    is looked at again.
    """
    rows = await rows_of(tx, _FIND_DEPLOYED, columns_of(wanted, 3))
    if any(row[1] is None for row in rows):
        rows = await rows_of(tx, _FIND_DEPLOYED, columns_of(wanted, 3))
    return [None if row[1] is None else Deployed(*row[1:7]) for row in rows], rows[0][7]


@dataclass(frozen=True, slots=True)
class Beginning:
    """An execution that begins, its first dispatch, and what the outbox is to tell.

    ``sent_at`` and ``next_try`` are set where somebody takes the dispatch to execute at once.
    """

    execution: Execution
    body: bytes
    digest: str
    notes: tuple[Note, ...]
    sent_at: datetime | None = None
    next_try: datetime | None = None


# Sorted by what is unique, so that two groups with the same keys wait for each other and not in a circle.
_BEGIN = f"""
WITH given AS (
    SELECT * FROM unnest(
        %b::uuid[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::text[], %b::bytea[], %b::uuid[], %b::text[],
        %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::boolean[],
        %b::bytea[], %b::bigint[], %b::uuid[], %b::text[], %b::text[],
        %b::bytea[], %b::text[], %b::timestamptz[], %b::timestamptz[]
    ) AS given (
        id, namespace, workflow, version, workflow_version, phase, seed, parent, parent_command,
        dedupe, body_digest, traceparent, created_at, started_at, echo,
        state, upto, origin, origin_kind, origin_task, body, digest, sent_at, next_try)
), added AS (
    INSERT INTO executions (
        id, namespace, workflow, version, workflow_version, phase, epoch, change, seed, parent, parent_command,
        dedupe, body_digest, traceparent, created_at, started_at, echo,
        state, upto, origin, origin_kind, origin_task)
    SELECT id, namespace, workflow, version, workflow_version, phase, 1, 1, seed, parent, parent_command,
           dedupe, body_digest, traceparent, created_at, started_at, echo,
           state, upto, origin, origin_kind, origin_task
      FROM given ORDER BY namespace, workflow, dedupe
    ON CONFLICT DO NOTHING RETURNING id
), stored AS (
    INSERT INTO dispatches (execution, epoch, body, digest, issued_at, sent_at, next_try)
    SELECT id, 1, body, digest, created_at, sent_at, next_try FROM given JOIN added USING (id)
), told AS (
{TELL} JOIN added USING (id)
)
SELECT id FROM added
"""


async def begin(tx: Tx, beginnings: Sequence[Beginning]) -> set[ExecutionId]:
    """Insert executions in epoch 1, with their dispatches and notes; those whose dedupe key was there are left out."""
    rows = [
        (
            UUID(begun.execution.id),
            begun.execution.namespace,
            begun.execution.workflow,
            begun.execution.version,
            begun.execution.workflow_version,
            begun.execution.phase,
            begun.execution.seed,
            UUID(begun.execution.parent) if begun.execution.parent else None,
            begun.execution.parent_command,
            begun.execution.dedupe,
            begun.execution.body_digest,
            begun.execution.traceparent,
            begun.execution.created_at,
            begun.execution.started_at,
            begun.execution.echo,
            begun.execution.state,
            begun.execution.upto,
            UUID(begun.execution.origin) if begun.execution.origin else None,
            begun.execution.origin_kind,
            begun.execution.origin_task,
            begun.body,
            begun.digest,
            begun.sent_at,
            begun.next_try,
        )
        for begun in beginnings
    ]
    notes = columns_of_notes(note for begun in beginnings for note in begun.notes)
    added = await rows_of(tx, _BEGIN, [*columns_of(rows, 24), *notes])
    return {ExecutionId(str(row[0])) for row in added}


_KNOWN = """
SELECT namespace, workflow, dedupe FROM executions
  JOIN unnest(%b::text[], %b::text[], %b::text[]) AS given (namespace, workflow, dedupe)
 USING (namespace, workflow, dedupe)
"""


async def known(tx: Tx, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Which dedupe keys (namespace, workflow, key) have started an execution."""
    return {(row[0], row[1], row[2]) for row in await rows_of(tx, _KNOWN, columns_of(keys, 3))} if keys else set()


# Later ids first: a child is locked before its parent, and it is younger.
_LOCK = f"SELECT {_ALL}, clock_timestamp() FROM executions WHERE id = ANY(%b::uuid[]) ORDER BY id DESC FOR UPDATE"


async def lock(tx: Tx, ids: Collection[str]) -> tuple[dict[str, Execution], datetime | None]:
    """Those of the executions that there are, locked until the transaction ends, and the database's time."""
    rows = await rows_of(tx, _LOCK, [[UUID(id_) for id_ in sorted(ids)]])
    found = [_execution(row) for row in rows]
    return {execution.id: execution for execution in found}, rows[0][-1] if rows else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides how an execution may end: its epoch's dispatch (``size`` in bytes), and whether children or
    containers end with it."""

    digest: str | None
    has_others: bool
    size: int


_STANDINGS = """
SELECT wanted.id, dispatches.digest,
       EXISTS (SELECT FROM executions AS child WHERE child.parent = wanted.id AND child.ended_at IS NULL)
       OR EXISTS (SELECT FROM containers WHERE containers.execution = wanted.id),
       coalesce(length(dispatches.body), 0)
  FROM unnest(%b::uuid[], %b::bigint[]) AS wanted (id, epoch)
  LEFT JOIN dispatches ON dispatches.execution = wanted.id AND dispatches.epoch = wanted.epoch
"""


async def standings(tx: Tx, executions: Iterable[Execution]) -> dict[str, Standing]:
    """By execution. They are locked by the caller, in a statement before this one."""
    wanted = [(UUID(execution.id), execution.epoch) for execution in executions]
    return {
        str(row[0]): Standing(row[1], row[2], row[3]) for row in await rows_of(tx, _STANDINGS, columns_of(wanted, 2))
    }


# The outbox before the dispatches, as those do who send them.
_END = """
WITH sent AS (DELETE FROM outbox WHERE execution = ANY(%(ids)b::uuid[]) AND kind = 'dispatch'),
orders AS (DELETE FROM dispatches WHERE execution = ANY(%(ids)b::uuid[])),
wakes AS (DELETE FROM inbox WHERE execution = ANY(%(ids)b::uuid[])),
due AS (DELETE FROM timers WHERE execution = ANY(%(ids)b::uuid[])),
listening AS (DELETE FROM subscriptions WHERE execution = ANY(%(ids)b::uuid[])),
asked AS (UPDATE asks SET status = 'closed', ended_at = clock_timestamp()
           WHERE execution = ANY(%(ids)b::uuid[]) AND status = 'open'),
loose AS (UPDATE kept_events SET execution = NULL WHERE execution = ANY(%(ids)b::uuid[])),
ended AS (
    UPDATE executions
       SET phase = given.phase, change = given.change, started_at = given.started_at, ended_at = given.ended_at,
           output = given.output, error = given.error, error_type = given.error_type,
           reason = NULL, state = NULL, waiting = NULL, suspend_asked = NULL
      FROM unnest(%(ids)b::uuid[], %(phases)b::text[], %(changes)b::bigint[], %(started)b::timestamptz[],
                  %(ended)b::timestamptz[], %(outputs)b::bytea[], %(errors)b::bytea[], %(types)b::text[])
           AS given (id, phase, change, started_at, ended_at, output, error, error_type)
     WHERE executions.id = given.id
), told AS (
    INSERT INTO outbox (kind, execution, epoch, body, not_before, namespace)
    SELECT kind, id, epoch, note, coalesce(not_before, clock_timestamp()), namespace
      FROM unnest(%(kinds)b::text[], %(whose)b::uuid[], %(epochs)b::bigint[], %(notes)b::bytea[],
                  %(later)b::timestamptz[], %(namespaces)b::text[])
           AS notes (kind, id, epoch, note, not_before, namespace)
)
UPDATE schedules SET running = NULL, due = clock_timestamp() + pause WHERE running = ANY(%(ids)b::uuid[]) RETURNING due
"""


async def end(tx: Tx, ended: Sequence[Execution], notes: Iterable[Note]) -> list[datetime]:
    """Store the outcomes of locked executions and remove everything that could wake them.

    When the next execution begins of each schedule that waited for one of them.
    """
    names = ("kinds", "whose", "epochs", "notes", "later", "namespaces")
    values: dict[str, Any] = {
        "ids": [UUID(execution.id) for execution in ended],
        "phases": [execution.phase for execution in ended],
        "changes": [execution.change for execution in ended],
        "started": [execution.started_at for execution in ended],
        "ended": [execution.ended_at for execution in ended],
        "outputs": [execution.output for execution in ended],
        "errors": [execution.error for execution in ended],
        "types": [execution.error_type for execution in ended],
        **dict(zip(names, columns_of_notes(notes), strict=True)),
    }
    return [row[0] for row in await rows_of(tx, _END, values)]


_ENDED = f"SELECT {_ALL} FROM executions WHERE id = ANY(%b::uuid[]) AND ended_at IS NOT NULL"


async def ended_among(tx: Tx, ids: Collection[str]) -> list[Execution]:
    return [_execution(row) for row in await rows_of(tx, _ENDED, [[UUID(id_) for id_ in ids]])]


def _execution(row: tuple[Any, ...]) -> Execution:
    """Ids come from the driver as UUIDs, and are text everywhere else."""
    values = dict(zip(Execution.__dataclass_fields__, row, strict=False))
    ids = {name: str(values[name]) for name in ("id", "parent", "origin") if values[name] is not None}
    return Execution(**{**values, **ids})
