"""Many rows in one statement: they travel as arrays, one per column, in binary form, which takes half the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from ..nouns import Note
from .database import Tx, driver_of

__all__ = ["TELL", "columns_of", "columns_of_notes", "rows_of"]

TELL: Final = """INSERT INTO outbox (kind, execution, epoch, body, not_before)
SELECT kind, id, epoch, note, coalesce(not_before, clock_timestamp())
  FROM unnest(%b::text[], %b::uuid[], %b::bigint[], %b::bytea[], %b::timestamptz[])"""
"""Puts notes into the outbox; ``AS notes (kind, id, epoch, note, not_before)`` follows."""


async def rows_of(tx: Tx, statement: str, values: Any) -> list[tuple[Any, ...]]:
    cursor = (await driver_of(tx)).cursor(binary=True)
    await cursor.execute(statement, values)
    return await cursor.fetchall()


def columns_of(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(width)]


def columns_of_notes(notes: Iterable[Note]) -> list[list[Any]]:
    rows = [(note.kind, UUID(note.execution), note.epoch, note.body, note.not_before) for note in notes]
    return columns_of(rows, 5)
