"""One transaction of reports: rows, what executions cost together, rollups. What was there already counts nowhere.

All writers go through the tables in one order, and through the rows of each in the order of their keys, so that none
waits in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from lowtide.storage.database import Connection

from .rollups import Rollups
from .rows import CHANGES, FACTS, KINDS, LOGS, METRICS, USAGES, Kind
from .totals import write_executions

__all__ = ["Row", "Rows", "columns_of", "write_reports"]

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = dict[Kind, list[Row]]


async def write_reports(connection: Connection, rows: Rows) -> None:
    """Inside a transaction. Raises what is ``UNFIT`` where one of the rows does not fit: then none is written."""
    new = {kind: await _write(connection, kind, rows[kind]) for kind in KINDS if kind is not CHANGES and rows.get(kind)}
    facts, usages = new.get(FACTS, ()), new.get(USAGES, ())
    turns = await write_executions(connection, _newest(rows.get(CHANGES, ())), usages, facts)
    rollups = Rollups()
    rollups.facts(facts)
    rollups.logs(new.get(LOGS, ()))
    rollups.metrics(new.get(METRICS, ()))
    rollups.usages(usages)
    rollups.turns(turns)
    for statement, cells in rollups.statements():
        await connection.execute(statement, columns_of(cells))


async def _write(connection: Connection, kind: Kind, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that were not there before."""
    unique = {row[: kind.keys]: row for row in rows}
    given = [unique[key] for key in sorted(unique)]
    cursor = connection.cursor(binary=True)
    await cursor.execute(kind.statement, [*columns_of(given), len(given)])
    answer = await cursor.fetchall()
    if answer[0][0] == len(given):
        return given
    return [unique[key] for _, *keys in answer if (key := tuple(keys)) in unique]


def _newest(changes: Sequence[Row]) -> dict[Any, Row]:
    """Of several changes of one execution the newest."""
    return {row[0]: row for row in sorted(changes, key=lambda row: int(row[4]))}


def columns_of(rows: Iterable[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
