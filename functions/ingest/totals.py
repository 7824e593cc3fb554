"""The projection of executions: what control says of each, and what its invocations cost together.

Both are written by one statement, so that each row is locked once. A usage that comes before control has told anything
makes a row of version number 0, which the first change replaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from lowtide.storage.database import Connection
from lowtide.wire import json

from .rows import CHANGES, given

__all__ = ["COLUMNS", "Turn", "write_executions"]

_GIB: Final = 2**30

_SUMS: Final = (
    ("invocations", "bigint"),
    ("cold_starts", "bigint"),
    ("active_ms", "float8"),
    ("cpu_ms", "float8"),
    ("gb_seconds", "float8"),
    ("queueing_ms", "float8"),
    ("cold_start_ms", "float8"),
    ("effects", "bigint"),
    ("bytes_in", "bigint"),
    ("bytes_out", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
)

COLUMNS: Final = (*CHANGES.columns, ("correlation", "jsonb"), *_SUMS)

_NEWER: Final = "executions.version_number < excluded.version_number"

_SET: Final = ", ".join(
    (
        *(
            f"{name} = CASE WHEN {_NEWER} THEN excluded.{name} ELSE executions.{name} END"
            for name, _ in CHANGES.columns[1:]
        ),
        *(f"{name} = executions.{name} + excluded.{name}" for name, _ in _SUMS),
        "correlation = executions.correlation || excluded.correlation",
        "known_version = executions.version_number",
        "known_end = executions.ended_at",
    )
)

_WRITE: Final = (
    f"INSERT INTO executions ({', '.join(name for name, _ in COLUMNS)}) {given(COLUMNS)} "
    f"ON CONFLICT (execution) DO UPDATE SET {_SET} "
    f"WHERE {_NEWER} OR excluded.invocations > 0 OR excluded.correlation <> '{{}}' "
    "RETURNING namespace, workflow, version, phase, created_at, ended_at, duration_ms, "
    "known_version = 0 AND version_number > 0, known_end IS NULL AND ended_at IS NOT NULL"
)


class Turn(NamedTuple):
    """An execution that begins (``what`` is "created") or ends (its phase) with what was just written."""

    namespace: str
    workflow: str
    version: str
    what: str
    at: datetime
    duration_ms: float | None


@dataclass(slots=True)
class _Total:
    """What is added to one execution's row."""

    subject: tuple[str, str, str]
    at: datetime
    sums: list[float] = field(default_factory=lambda: [0 if kind == "bigint" else 0.0 for _, kind in _SUMS])
    keys: dict[str, Any] = field(default_factory=dict)


async def write_executions(
    connection: Connection, changes: Mapping[UUID, tuple[Any, ...]], usages: Sequence[Any], facts: Sequence[Any]
) -> list[Turn]:
    """``usages`` and ``facts`` are those that are new."""
    totals = _totals(usages, facts)
    rows = []
    for execution in sorted(changes.keys() | totals.keys()):
        total = totals.get(execution)
        change = changes.get(execution) or _untold(execution, totals[execution])
        keys = json.encode(total.keys).decode() if total and total.keys else "{}"
        sums = total.sums if total else [0 if kind == "bigint" else 0.0 for _, kind in _SUMS]
        rows.append((*change, keys, *sums))
    if not rows:
        return []
    cursor = connection.cursor(binary=True)
    await cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])
    turns = []
    async for namespace, workflow, version, phase, created, ended, duration, begins, ends in cursor:
        if begins:
            turns.append(Turn(namespace, workflow, version, "created", created, None))
        if ends:
            turns.append(Turn(namespace, workflow, version, phase, ended, duration))
    return turns


def _totals(usages: Sequence[Any], facts: Sequence[Any]) -> dict[UUID, _Total]:
    totals: dict[UUID, _Total] = {}
    for row in usages:
        execution, _, namespace, workflow, version, at, active, cpu, memory, cold, cold_ms, queueing, *counts, _ = row
        _, effects, _, *amounts = counts
        total = totals.setdefault(execution, _Total((namespace, workflow, version), at))
        gb_seconds = memory / _GIB * active / 1000
        spent = (1, int(cold), active, cpu, gb_seconds, queueing, cold_ms if cold else 0.0, effects, *amounts)
        total.sums = [before + more for before, more in zip(total.sums, spent, strict=True)]
    for fact in facts:
        if fact[_KEYS] is not None:
            total = totals.setdefault(fact[0], _Total(fact[2:5], fact[_AT]))
            total.keys |= json.parse(fact[_KEYS].encode())
    return totals


_AT: Final = 10
_KEYS: Final = 13
"""Places in a row of facts."""


def _untold(execution: UUID, total: _Total) -> tuple[Any, ...]:
    """The row of an execution of which control has told nothing yet."""
    millis = execution.int >> 80
    created = datetime.fromtimestamp(millis / 1000, UTC) if execution.version == 7 else total.at
    return (execution, *total.subject, 0, "running", 0, None, created, None, None, None, "{}", None, None)
