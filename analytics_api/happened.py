"""What happened to the tasks of one execution: facts folded by PostgreSQL, so that a loop of a million costs one row.

``Runs``: all entries of one task together. ``Step``: one task was entered directly after another in the same list.
``Entry``: one entry of a task, by its place: two executions can be laid beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from .store import Store

__all__ = ["MOST_ENTRIES", "Entry", "Ran", "Runs", "Step", "entries_of", "outline_of", "ran", "runs_of", "steps_of"]

_STATUSES: Final = ("running", "waiting", "retried", "skipped", "cancelled", "faulted", "completed")

_MOST_TASKS: Final = 2000
MOST_ENTRIES: Final = 5000

_ENTRIES: Final = """
SELECT reference, task, max(name) AS name, max(kind) AS kind, min(number) AS first, min(at) AS began,
       min(at) FILTER (WHERE status = ANY(:final)) AS ended, max(attempt) AS attempt, max(effect) AS effect,
       (array_agg(status ORDER BY CASE WHEN status = ANY(:final) THEN number - 4611686018427387904 ELSE -number END))[1]
         AS status,
       count(*) FILTER (WHERE status = 'retried') AS retries,
       (array_agg(error ORDER BY number DESC) FILTER (WHERE error IS NOT NULL))[1] AS error,
       sum(active_ms) AS active_ms, sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out
  FROM task_facts WHERE execution = :execution AND namespace = :namespace GROUP BY reference, task
"""
"""The first end of an entry is its status, as in ``lowtide.model.timeline``; where there is none, its last change."""

_RUNS: Final = f"""
SELECT reference, max(name) AS name, max(kind) AS kind, count(*) AS runs, min(first) AS first,
       min(began) AS began, CASE WHEN bool_and(ended IS NOT NULL) THEN max(ended) END AS ended,
       (array_agg(status ORDER BY first DESC))[1] AS status,
       {", ".join(f"count(*) FILTER (WHERE status = '{status}') AS {status}" for status in _STATUSES)},
       sum(retries)::bigint AS retries, max(attempt) AS attempt, max(effect) AS effect,
       (array_agg(error ORDER BY first DESC) FILTER (WHERE error IS NOT NULL))[1] AS error,
       coalesce(sum(extract(epoch FROM ended - began) * 1000), 0)::float8 AS duration_ms,
       sum(active_ms) AS active_ms, sum(bytes_in)::bigint AS bytes_in, sum(bytes_out)::bigint AS bytes_out
  FROM ({_ENTRIES}) AS entries GROUP BY reference ORDER BY min(first) LIMIT :limit
"""

_PLACED: Final = """
SELECT reference, min(number) AS first, substring(task from '@([0-9.]+)$') AS path,
       regexp_replace(reference, '/[0-9]+/[^/]*$', '') AS list
  FROM task_facts WHERE execution = :execution AND namespace = :namespace GROUP BY reference, task
"""

_STEPS: Final = f"""
SELECT before, reference AS after, count(*) AS taken FROM (
  SELECT reference, lag(reference) OVER (
           PARTITION BY list, regexp_replace(path, '[.]?[0-9]+$', '')
           ORDER BY substring(path from '([0-9]{{1,18}})$')::bigint, first) AS before
    FROM ({_PLACED}) AS placed WHERE list NOT LIKE '%/fork/branches') AS followed
 GROUP BY 1, 2 LIMIT :limit
"""

_BY_PLACE: Final = f"SELECT * FROM ({_ENTRIES}) AS entries ORDER BY first LIMIT :limit"

_SUBJECT: Final = """
SELECT workflow, version, created_at FROM (
  SELECT 1 AS place, workflow, version, created_at FROM executions
   WHERE execution = :execution AND namespace = :namespace
  UNION ALL
  (SELECT 2, workflow, version, at FROM task_facts
    WHERE execution = :execution AND namespace = :namespace ORDER BY number LIMIT 1)) AS known
 ORDER BY place LIMIT 1
"""

_OUTLINE: Final = """
SELECT outline FROM outlines WHERE namespace = :namespace AND workflow = :workflow AND version = :version
 ORDER BY deployed_at <= :created DESC, abs(extract(epoch FROM deployed_at - :created)) LIMIT 1
"""
"""The one that was deployed last before the execution began, of those that had this name and version."""

_FINAL: Final = ["skipped", "cancelled", "faulted", "completed"]


@dataclass(frozen=True, slots=True)
class Runs:
    """All entries of one task. ``status`` is that of the newest, ``statuses`` counts them; ``duration_ms`` adds up
    those that have ended; ``ended`` is set once all have."""

    reference: str
    name: str
    kind: str
    runs: int
    first: int
    status: str
    statuses: dict[str, int] = field(default_factory=dict)
    began: datetime | None = None
    ended: datetime | None = None
    retries: int = 0
    attempt: int = 1
    effect: str = ""
    error: Any = None
    duration_ms: float = 0.0
    active_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """``before`` is ``None`` for what began its list."""

    before: str | None
    after: str
    taken: int


@dataclass(frozen=True, slots=True)
class Entry:
    """``task`` is ``reference@path``: the path says which entry of its list it is, in which iteration and attempt."""

    reference: str
    task: str
    status: str


@dataclass(frozen=True, slots=True)
class Ran:
    """Which version of which workflow an execution is of, and since when."""

    workflow: str
    version: str
    created_at: datetime


async def ran(store: Store, namespace: str, execution: UUID) -> Ran | None:
    """``None`` where nothing but log lines was reported."""
    rows = await store.ask(text(_SUBJECT), {"namespace": namespace, "execution": execution})
    return Ran(*rows[0].values()) if rows else None


async def runs_of(store: Store, namespace: str, execution: UUID) -> list[Runs]:
    """In the order in which the tasks were first entered."""
    values = {"namespace": namespace, "execution": execution, "final": _FINAL, "limit": _MOST_TASKS}
    return [_runs(row) for row in await store.ask(text(_RUNS), values)]


async def steps_of(store: Store, namespace: str, execution: UUID) -> list[Step]:
    values = {"namespace": namespace, "execution": execution, "limit": 2 * _MOST_TASKS}
    return [Step(**row) for row in await store.ask(text(_STEPS), values)]


async def entries_of(store: Store, namespace: str, execution: UUID) -> list[Entry]:
    """The first of them, in the order in which they began."""
    values = {"namespace": namespace, "execution": execution, "final": _FINAL, "limit": MOST_ENTRIES}
    rows = await store.ask(text(_BY_PLACE), values)
    return [Entry(row["reference"], row["task"], row["status"]) for row in rows]


async def outline_of(store: Store, namespace: str, of: Ran) -> dict[str, Any] | None:
    """Nodes and edges of the version that ran; ``None`` where analytics was not told."""
    values = {"namespace": namespace, "workflow": of.workflow, "version": of.version, "created": of.created_at}
    rows = await store.ask(text(_OUTLINE), values)
    found: dict[str, Any] | None = rows[0]["outline"] if rows else None
    return found


def _runs(row: RowMapping) -> Runs:
    shown = {name: row[name] for name in Runs.__dataclass_fields__ if name != "statuses"}
    return Runs(**shown, statuses={status: row[status] for status in _STATUSES if row[status]})
