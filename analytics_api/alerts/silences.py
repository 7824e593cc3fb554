"""Silences: until when, and for what, nobody is told that an alert fires. What fires is seen as before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from lowtide.errors import InvalidInput, NotFound
from lowtide.storage.database import Connection

__all__ = ["Silence", "begin", "covers", "end", "page", "silences_of"]

_MOST: Final = 1000

_COLUMNS: Final = "id, rule, members, created_at, until, reason, created_by"


@dataclass(frozen=True, slots=True)
class Silence:
    """Of all rules where ``rule`` is ``None``; of the groups that have all of ``members``."""

    id: UUID
    rule: str | None
    members: dict[str, str]
    created_at: datetime
    until: datetime
    reason: str
    created_by: str


def covers(silence: Silence, labels: dict[str, str]) -> bool:
    return silence.members.items() <= labels.items()


async def silences_of(connection: Connection, namespace: str, rule: str, now: datetime) -> Sequence[Silence]:
    """Those that concern a rule now."""
    statement = f"""SELECT {_COLUMNS} FROM alert_silences
                     WHERE namespace = %s AND until > %s AND coalesce(rule, %s) = %s"""
    rows = await (await connection.execute(statement.encode(), [namespace, now, rule, rule])).fetchall()
    return [Silence(*row) for row in rows]


async def begin(connection: Connection, namespace: str, silence: Silence) -> Silence:
    """Raises :class:`lowtide.errors.InvalidInput` where it is over already, or there are too many."""
    counted = (
        "SELECT count(*), clock_timestamp() FROM alert_silences WHERE namespace = %s AND until > clock_timestamp()"
    )
    row = await (await connection.execute(counted, [namespace])).fetchone()
    assert row is not None
    count, now = row
    if silence.until <= now:
        raise InvalidInput("body.until: this moment is over; name one to come")
    if count >= _MOST:
        raise InvalidInput(f"the namespace has {_MOST} silences; end some, or silence more with one")
    values: list[Any] = [silence.id, silence.rule, Jsonb(silence.members), silence.created_at, silence.until]
    await connection.execute(
        f"INSERT INTO alert_silences (namespace, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)".encode(),
        [namespace, *values, silence.reason, silence.created_by],
    )
    return silence


async def page(
    connection: Connection, namespace: str, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Silence]:
    """Those that are not over, the first to end first."""
    until, last = after or (None, None)
    statement = f"""
        SELECT {_COLUMNS} FROM alert_silences
         WHERE namespace = %(namespace)s AND until > clock_timestamp()
           AND (%(last)s::uuid IS NULL OR (until, id) > (%(until)s::timestamptz, %(last)s::uuid))
         ORDER BY until, id LIMIT %(limit)s"""
    values = {"namespace": namespace, "until": until, "last": last, "limit": limit}
    return [Silence(*row) for row in await (await connection.execute(statement.encode(), values)).fetchall()]


async def end(connection: Connection, namespace: str, silence: UUID) -> None:
    """Raises :class:`lowtide.errors.NotFound`."""
    statement = "DELETE FROM alert_silences WHERE namespace = %s AND id = %s"
    if not (await connection.execute(statement, [namespace, silence])).rowcount:
        raise NotFound(f"there is no silence {silence} in namespace {namespace}")
