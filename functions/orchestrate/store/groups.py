"""What every execution needs, for many of them at once: their starts and their ends, in one statement each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from lowtide.model.base import ExecutionId

from ..nouns import Deployed, Execution, Note
from .database import Driver, Tx
from .rows import TELL, columns_of, columns_of_notes, rows_of

__all__ = [
    "Beginning",
    "Done",
    "Ending",
    "Seen",
    "begin",
    "end",
    "ended_among",
    "find_deployed",
    "known",
    "lock",
    "read",
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
    tx: Tx | Driver, wanted: Sequence[tuple[str, str, str | None]]
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


_WANTED: Final = (
    *(("id", "uuid"), ("namespace", "text"), ("workflow", "text"), ("version", "text"), ("workflow_version", "bigint")),
    *(("phase", "text"), ("seed", "bytea"), ("parent", "uuid"), ("parent_command", "text"), ("dedupe", "text")),
    *(("body_digest", "text"), ("traceparent", "text"), ("created_at", "timestamptz"), ("started_at", "timestamptz")),
    *(("echo", "boolean"), ("state", "bytea"), ("upto", "bigint"), ("origin", "uuid"), ("origin_kind", "text")),
    *(("origin_task", "text"), ("body", "bytea"), ("digest", "text"), ("sent_at", "timestamptz")),
    *(("next_try", "timestamptz"), ("asked", "text"), ("limits", "bytea")),
)
_MANY: Final = "SELECT * FROM unnest({}) AS wanted ({})".format(
    ", ".join(f"%b::{kind}[]" for _, kind in _WANTED), ", ".join(name for name, _ in _WANTED)
)
# Where few ask at once, it is one: without arrays, that costs both ends a fraction.
_ONE: Final = "SELECT {}".format(", ".join(f"%b::{kind} AS {name}" for name, kind in _WANTED))

# Sorted by what is unique, so that two groups with the same keys wait for each other and not in a circle.
_BEGIN = """
WITH wanted AS (
    {wanted}
), given AS (
    SELECT * FROM wanted {condition}
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
{tell} JOIN added USING (id)
)
SELECT id, clock_timestamp() FROM (SELECT id FROM added UNION SELECT id FROM executions JOIN wanted USING (id)) AS there
"""
_AT_ALL = ""
_IF_DEPLOYED = """WHERE EXISTS (SELECT FROM workflow_versions AS deployed
             WHERE deployed.id = wanted.workflow_version AND deployed.deleted_at IS NULL FOR KEY SHARE)"""
# What _FIND_DEPLOYED found a moment ago, it would still find, and the time that was thought to be now is now.
_IF_AS_SEEN = """WHERE workflow_version = (
           SELECT deployed.id FROM workflow_versions AS deployed
            WHERE deployed.namespace = wanted.namespace AND deployed.name = wanted.workflow
              AND deployed.deleted_at IS NULL AND (wanted.asked IS NULL OR deployed.version = wanted.asked)
            ORDER BY deployed.id DESC LIMIT 1 FOR KEY SHARE)
       AND NOT EXISTS (SELECT FROM gates WHERE gates.namespace = wanted.namespace
                                           AND gates.workflow IN ('', wanted.workflow)
                                           AND (paused_at IS NOT NULL OR ramp IS NOT NULL))
       AND (SELECT gates.limits FROM gates WHERE gates.namespace = wanted.namespace
                                             AND gates.workflow = wanted.workflow) IS NOT DISTINCT FROM wanted.limits
       AND created_at > clock_timestamp() - interval '1 second'"""
_BEGINNINGS: Final = {
    (condition, wanted): _BEGIN.format(wanted=wanted, condition=condition, tell=TELL)
    for condition in (_AT_ALL, _IF_DEPLOYED, _IF_AS_SEEN)
    for wanted in (_ONE, _MANY)
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked up a moment ago, and may have changed: the version that was ``asked`` for (``None``: the one that
    was deployed last), and the operator's limits."""

    asked: str | None
    limits: bytes | None


async def begin(
    tx: Tx | Driver, beginnings: Sequence[Beginning], *, if_deployed: bool = False, seen: Sequence[Seen] | None = None
) -> tuple[set[ExecutionId], datetime | None]:
    """Insert executions in epoch 1, with their dispatches and notes; which of them are there now, and the database's
    time where any is.

    Left out are those whose dedupe key was there, with ``if_deployed`` those whose version was removed, with ``seen``
    (for each) those for which that is no longer so. The same once more changes nothing, and has the same answer.
    """
    nothing = Seen(None, None)
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
            as_seen.asked,
            as_seen.limits,
        )
        for begun, as_seen in zip(beginnings, seen or [nothing] * len(beginnings), strict=True)
    ]
    notes = columns_of_notes(note for begun in beginnings for note in begun.notes)
    condition = _IF_AS_SEEN if seen else _IF_DEPLOYED if if_deployed else _AT_ALL
    if len(rows) == 1:
        there = await rows_of(tx, _BEGINNINGS[condition, _ONE], [*rows[0], *notes])
    else:
        there = await rows_of(tx, _BEGINNINGS[condition, _MANY], [*columns_of(rows, len(_WANTED)), *notes])
    return {ExecutionId(str(row[0])) for row in there}, there[0][1] if there else None


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
    return _dated(await rows_of(tx, _LOCK, [[UUID(id_) for id_ in sorted(ids)]]))


_READ = f"SELECT {_ALL}, clock_timestamp() FROM executions WHERE id = ANY(%b::uuid[])"


async def read(connection: Driver, ids: Collection[str]) -> tuple[dict[str, Execution], datetime | None]:
    """As :func:`lock`, without the lock: what is decided by it has to be looked at again."""
    return _dated(await rows_of(connection, _READ, [[UUID(id_) for id_ in sorted(ids)]]))


def _dated(rows: list[tuple[Any, ...]]) -> tuple[dict[str, Execution], datetime | None]:
    """Executions by id, and the database's time, which is in the last column."""
    found = [_execution(row) for row in rows]
    return {execution.id: execution for execution in found}, rows[0][-1] if rows else None


@dataclass(frozen=True, slots=True)
class Ending:
    """An execution as it is to be, and the digest of the dispatch that led to its outcome."""

    execution: Execution
    digest: str


@dataclass(frozen=True, slots=True)
class Done:
    """What ended: the size of its dispatch in bytes, and when the next execution begins of schedules that waited for
    one of those that ended together."""

    size: int
    next_due: datetime | None


# What it does is in migration 0011. The commit is not waited for: should the server fail before it is on the disk, the
# dispatch is there again, and its delivery finds the journal closed and brings the same outcome once more.
_END = """
SELECT * FROM end_plainly(
    {endings},
    %(kinds)b::text[], %(whose)b::uuid[], %(epochs)b::bigint[], %(notes)b::bytea[], %(later)b::timestamptz[],
    %(namespaces)b::text[])
 WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
"""
_ENDED_AS: Final = {
    **{"id": "uuid", "change": "bigint", "digest": "text", "phase": "text", "started": "timestamptz"},
    **{"ended": "timestamptz", "output": "bytea", "error": "bytea", "type": "text"},
}
_END_ONE: Final = _END.format(endings=", ".join(f"ARRAY[%({name})b::{kind}]" for name, kind in _ENDED_AS.items()))
_END_MANY: Final = _END.format(endings=", ".join(f"%({name})b::{kind}[]" for name, kind in _ENDED_AS.items()))


async def end(connection: Driver, endings: Sequence[Ending], notes: Iterable[Note]) -> dict[str, Done]:
    """Store the outcomes of executions and remove everything that could wake them, where nothing changed since they
    were read, their newest dispatch is the one that was answered, and no child or container ends with them."""
    names = ("kinds", "whose", "epochs", "notes", "later", "namespaces")
    told = dict(zip(names, columns_of_notes(notes), strict=True))
    rows = [
        (
            UUID(ending.execution.id),
            ending.execution.change - 1,
            ending.digest,
            ending.execution.phase,
            ending.execution.started_at,
            ending.execution.ended_at,
            ending.execution.output,
            ending.execution.error,
            ending.execution.error_type,
        )
        for ending in endings
    ]
    statement = _END_ONE if len(rows) == 1 else _END_MANY
    values: Sequence[Any] = rows[0] if len(rows) == 1 else columns_of(rows, len(_ENDED_AS))
    given = {**dict(zip(_ENDED_AS, values, strict=True)), **told}
    return {str(row[0]): Done(row[1] or 0, row[2]) for row in await rows_of(connection, statement, given)}


_ENDED = f"SELECT {_ALL} FROM executions WHERE id = ANY(%b::uuid[]) AND ended_at IS NOT NULL"


async def ended_among(tx: Tx, ids: Collection[str]) -> list[Execution]:
    return [_execution(row) for row in await rows_of(tx, _ENDED, [[UUID(id_) for id_ in ids]])]


def _execution(row: tuple[Any, ...]) -> Execution:
    """Ids come from the driver as UUIDs, and are text everywhere else."""
    values = dict(zip(Execution.__dataclass_fields__, row, strict=False))
    ids = {name: str(values[name]) for name in ("id", "parent", "origin") if values[name] is not None}
    return Execution(**{**values, **ids})
