"""What happened per minute, hour and day (UTC), added up from rows that were just written and are new.

    measure                              about                counts              adds up and sketches
    executions.created                   workflow             executions          -
    executions.{completed, faulted, ..}  workflow             executions ended    duration, ms
    invocations.{active_ms, cpu_ms, ..}  workflow             invocations         the measure itself
    invocations.cold_start_ms            workflow             cold starts         ms
    invocations.{input, output}_tokens   workflow             those with models   tokens
    tasks.{completed, faulted, retried}  workflow and task    facts               duration of the entry, ms, if known
    effects.{http, grpc, function, ..}   workflow and task    results of effects  ms that they took
    logs.{info, warning, ..}             workflow             lines               -
    metrics.{name}                       workflow             samples             their values

``count`` of a measure is that of all rows; the sketch may have fewer values where some had none. Days are kept of some
measures alone (``lowtide.model.rollup``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from lowtide.model.rollup import by_day, sketched_by_day
from lowtide.model.sketch import bin_of
from lowtide.wire import json

from .rows import given
from .totals import Turn

__all__ = ["Rollups"]

_COLUMNS: Final = (
    ("namespace", "text"),
    ("measure", "text"),
    ("at", "timestamptz"),
    ("workflow", "text"),
    ("version", "text"),
    ("task", "text"),
    ("count", "bigint"),
    ("total", "float8"),
    ("smallest", "float8"),
    ("largest", "float8"),
    ("sketch", "jsonb"),
)

_KEY: Final = "namespace, measure, at, workflow, version, task"

_LONGEST: Final = 300
"""Characters of a name within a key: PostgreSQL's indexes take no more than 2,700 bytes."""

_MOST: Final = 1e290
"""So that no sum of values is too large for a float."""

_GIB: Final = 2**30

_SKETCHED: Final = frozenset({"active_ms", "cpu_ms", "memory_bytes", "queueing_ms"})

_FINAL: Final = frozenset({"completed", "faulted", "retried", "skipped", "cancelled"})


# What the function merged_sketch does: as a part of the statement it is prepared once, and not for each row.
_MERGED: Final = """
CASE WHEN excluded.sketch = '{{}}' THEN {table}.sketch WHEN {table}.sketch = '{{}}' THEN excluded.sketch
     ELSE {table}.sketch || (
       SELECT jsonb_object_agg(bin, n::bigint + coalesce(({table}.sketch ->> bin)::bigint, 0))
         FROM jsonb_each_text(excluded.sketch) AS given (bin, n)) END
"""


def _statement(table: str) -> str:
    return (
        f"INSERT INTO {table} ({', '.join(name for name, _ in _COLUMNS)}) {given(_COLUMNS)} "
        f"ON CONFLICT ({_KEY}) DO UPDATE SET count = {table}.count + excluded.count, "
        f"total = {table}.total + excluded.total, smallest = least({table}.smallest, excluded.smallest), "
        f"largest = greatest({table}.largest, excluded.largest), sketch = {_MERGED.format(table=table)}"
    )


_MINUTE: Final = _statement("rollups_minute")
_HOUR: Final = _statement("rollups_hour")
_DAY: Final = _statement("rollups_day")

_Key = tuple[str, str, datetime, str, str, str]


@dataclass(slots=True)
class _Cell:
    count: int = 0
    total: float = 0.0
    smallest: float | None = None
    largest: float | None = None
    bins: dict[int, int] = field(default_factory=dict)

    def value(self, value: float, *, sketched: bool) -> None:
        self.total += value
        self.smallest = value if self.smallest is None or value < self.smallest else self.smallest
        self.largest = value if self.largest is None or value > self.largest else self.largest
        if sketched:
            number = bin_of(value)
            self.bins[number] = self.bins.get(number, 0) + 1

    def include(self, other: _Cell, *, sketched: bool = True) -> None:
        self.count += other.count
        self.total += other.total
        for extreme in (other.smallest, other.largest):
            if extreme is not None:
                self.smallest = extreme if self.smallest is None else min(self.smallest, extreme)
                self.largest = extreme if self.largest is None else max(self.largest, extreme)
        if sketched:
            for number, count in other.bins.items():
                self.bins[number] = self.bins.get(number, 0) + count

    def row(self, key: _Key) -> tuple[Any, ...]:
        sketch = json.encode({str(number): count for number, count in self.bins.items()}).decode()
        return (*key, self.count, self.total, self.smallest, self.largest, sketch)


class Rollups:
    """Takes rows as ``rows`` makes them."""

    def __init__(self) -> None:
        self._cells: dict[_Key, _Cell] = {}

    def facts(self, rows: Iterable[Any]) -> None:
        for row in rows:
            _, _, namespace, workflow, version, _, _, reference, _, status, at, _, _, _, effect, active, *_, took = row
            whom = (namespace, workflow, version)
            if status in _FINAL:
                self._add(f"tasks.{status}", whom, at, took, task=reference)
            if effect:
                self._add(f"effects.{effect}", whom, at, active, task=reference)

    def logs(self, rows: Iterable[Any]) -> None:
        for _, at, _, namespace, workflow, version, level, *_ in rows:
            self._add(f"logs.{level}", (namespace, workflow, version), at, None)

    def metrics(self, rows: Iterable[Any]) -> None:
        for at, _, namespace, workflow, version, _, name, value, _ in rows:
            if abs(value) < _MOST:  # one that is not, or is no number, would spoil every sum that it is in
                self._add(f"metrics.{name}", (namespace, workflow, version), at, value)

    def usages(self, rows: Iterable[Any]) -> None:
        for row in rows:
            _, _, namespace, workflow, version, at, active, cpu, memory, cold, cold_ms, queueing, *counts, _ = row
            turns, effects, records, bytes_in, bytes_out, *tokens = counts
            measures = {
                "active_ms": active,
                "cpu_ms": cpu,
                "memory_bytes": memory,
                "gb_seconds": memory / _GIB * active / 1000,
                "queueing_ms": queueing,
                "turns": turns,
                "effects": effects,
                "records": records,
                "bytes_in": bytes_in,
                "bytes_out": bytes_out,
            }
            whom = (namespace, workflow, version)
            for name, value in measures.items():
                self._add(f"invocations.{name}", whom, at, value, sketched=name in _SKETCHED)
            if cold:
                self._add("invocations.cold_start_ms", whom, at, cold_ms)
            if any(tokens):
                for name, count in zip(("input_tokens", "output_tokens"), tokens, strict=True):
                    self._add(f"invocations.{name}", whom, at, count, sketched=False)

    def turns(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            whom = (turn.namespace, turn.workflow, turn.version)
            self._add(f"executions.{turn.what}", whom, turn.at, turn.duration_ms)

    def statements(self) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        """What to execute, with its rows in the order of their keys."""
        hours: dict[_Key, _Cell] = {}
        for (namespace, measure, minute, *rest), cell in self._cells.items():
            workflow, version, task = rest
            key = (namespace, measure, minute.replace(minute=0), workflow, version, task)
            hours.setdefault(key, _Cell()).include(cell)
        for statement, cells in ((_MINUTE, self._cells), (_HOUR, hours), (_DAY, _days(hours))):
            if cells:
                yield statement, [cells[key].row(key) for key in sorted(cells)]

    def _add(
        self,
        measure: str,
        whom: tuple[str, str, str],
        at: datetime,
        value: float | None,
        *,
        task: str = "",
        sketched: bool = True,
    ) -> None:
        namespace, workflow, version = whom
        minute = at.astimezone(UTC).replace(second=0, microsecond=0)
        key = (namespace, measure[:_LONGEST], minute, workflow[:_LONGEST], version[:_LONGEST], task[:_LONGEST])
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell()
        cell.count += 1
        if value is not None:
            cell.value(float(value), sketched=sketched)


def _days(hours: Mapping[_Key, _Cell]) -> dict[_Key, _Cell]:
    days: dict[_Key, _Cell] = {}
    for (namespace, measure, hour, workflow, version, task), cell in hours.items():
        if by_day(measure):
            key = (namespace, measure, hour.replace(hour=0), workflow, version, task)
            days.setdefault(key, _Cell()).include(cell, sketched=sketched_by_day(measure))
    return days
