"""Many rows in one statement: they travel as arrays, one per column, in binary form, which takes half the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from ..nouns import Note
from .database import Driver, Tx, driver_of

__all__ = ["TELL", "columns_of", "columns_of_notes", "perform", "rows_of"]

TELL: Final = """INSERT INTO outbox (kind, execution, epoch, body, not_before, namespace)
SELECT kind, id, epoch, note, coalesce(not_before, clock_timestamp()), whose
  FROM unnest(%b::text[], %b::uuid[], %b::bigint[], %b::bytea[], %b::timestamptz[], %b::text[])
    AS notes (kind, id, epoch, note, not_before, whose)"""
"""Puts notes into the outbox."""


async def rows_of(tx: Tx | Driver, statement: str, values: Any) -> list[tuple[Any, ...]]:
    cursor = (await driver_of(tx)).cursor(binary=True)
    await cursor.execute(statement, values)
    return await cursor.fetchall()


async def perform(tx: Tx, statement: str, values: Any) -> int:
    """How many rows it concerned."""
    return (await (await driver_of(tx)).execute(statement, values)).rowcount


def columns_of(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(width)]


def columns_of_notes(notes: Iterable[Note]) -> list[list[Any]]:
    rows = [(note.kind, UUID(note.execution), note.epoch, note.body, note.not_before, note.namespace) for note in notes]
    return columns_of(rows, 6)
