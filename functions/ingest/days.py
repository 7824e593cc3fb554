"""Partitions of the analytics store: days made ahead, days dropped, and what must go earlier deleted in portions.

All of it may be done at once by several replicas, and be cut off anywhere: who comes later finds the rest. Locks are
waited for briefly: writers and readers come first.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from lowtide.errors import Unavailable
from lowtide.storage.database import Connection, Database

from .retention import KEPT, Kept, Retention

__all__ = ["Keeper"]

log = logging.getLogger("lowtide.ingest.days")

_AHEAD: Final = 3
"""Days that are there before they come."""

_PORTION: Final = 5_000
_MOST_PORTIONS: Final = 40
_ALL: Final = sql.SQL("true")
_FIRST: Final = 10.0
_EVERY: Final = 3600.0
_LOCK: Final = 0x10_71_DE_D1
"""Any number, the same for all who change partitions."""

_BUSY: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected)

_DAYS: Final = """
SELECT parent.relname, child.relname FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid JOIN pg_class AS parent ON parent.oid = inhparent
 WHERE parent.relname = ANY(%s) AND parent.relkind = 'p' AND parent.relnamespace = current_schema()::regnamespace
"""

_COLUMNS: Final = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


class Keeper:
    """Makes and drops days. ``retention`` says what goes; nothing does where it says nothing."""

    def __init__(self, database: Database, retention: Retention) -> None:
        self._database = database
        self._retention = retention

    async def run(self) -> None:
        """Until cancelled: soon after the start, then every hour."""
        await asyncio.sleep(_FIRST)
        while True:
            try:
                await self.tidy()
            except (Unavailable, psycopg.Error) as error:
                log.warning("days of analytics wait", extra={"reason": str(error).strip()})
            await asyncio.sleep(_EVERY)

    async def tidy(self, now: datetime | None = None) -> None:
        """One round. Raises :class:`lowtide.errors.Unavailable`; ``now`` is the database's time if it is not given."""
        at = await self._database.run(_now) if now is None else now
        today = at.astimezone(UTC).date()
        known = await self._database.run(_known)
        for kept in KEPT.values():
            for day in (today + timedelta(days=ahead) for ahead in range(_AHEAD + 1) if kept.day):
                if _name(kept, day) not in known[kept.table]:
                    await self._change(kept, day, _make)
        for kind, kept in KEPT.items():
            longest = self._retention.longest(kind)
            if longest is not None:
                for day in sorted(filter(None, map(_day_of, known[kept.table]))):
                    if _begins(day + timedelta(days=1)) <= at - longest:
                        await self._drop(kept, day, at - longest)
                await self._delete(
                    sql.Identifier(f"{kept.table}_default" if kept.day else kept.table), kept, at - longest
                )
            await self._delete_of_namespaces(kind, kept, at)

    async def _change(self, kept: Kept, day: date, work: Any) -> bool:
        """Whether it was done here and now; else somebody else does it, or the next round."""

        async def change(connection: Connection) -> bool:
            await connection.execute("SET LOCAL lock_timeout = '500ms'")
            locked = await (await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])).fetchone()
            if (
                locked is not None
                and locked[0]
                and (_name(kept, day) in (await _known(connection))[kept.table]) == (work is not _make)
            ):
                await work(connection, kept, day)
                return True
            return False

        try:
            return await self._database.transaction(change)
        except Unavailable as error:
            if not isinstance(error.__cause__, _BUSY):
                raise
            log.info("a day waits for its readers", extra={"day": _name(kept, day)})
            return False

    async def _drop(self, kept: Kept, day: date, cutoff: datetime) -> None:
        """Unless something in it is younger: an execution lives longer than the day on which it was created."""

        async def is_wanted(connection: Connection) -> bool:
            age = sql.SQL("version_number > 0 AND coalesce(ended_at, 'infinity')" if kept.age == "ended_at" else "at")
            query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} >= %s)").format(_table(kept, day), age)
            found = await (await connection.execute(query, [cutoff])).fetchone()
            return found is not None and bool(found[0])

        if kept.day == "at" or not await self._database.run(is_wanted):
            if await self._change(kept, day, _drop):
                log.info("dropped a day", extra={"day": _name(kept, day)})
        else:
            await self._delete(_table(kept, day), kept, cutoff)

    async def _delete_of_namespaces(self, kind: str, kept: Kept, at: datetime) -> None:
        """What a day has of namespaces that keep it for a shorter time than the day is kept."""
        own, longest, usual = self._retention.own(kind), self._retention.longest(kind), self._retention.kinds.get(kind)
        for namespace, length in own.items():
            if longest is None or length < longest:
                only = sql.SQL("namespace = {}").format(sql.Literal(namespace))
                await self._delete(sql.Identifier(kept.table), kept, at - length, only)
        if usual is not None and longest is not None and usual < longest:
            others = sql.SQL("namespace <> ALL({})").format(sql.Literal(list(own)))
            await self._delete(sql.Identifier(kept.table), kept, at - usual, others)

    async def _delete(self, table: sql.Identifier, kept: Kept, cutoff: datetime, which: sql.Composable = _ALL) -> None:
        """In portions, so that nobody waits long; what is left over is for the next round."""
        key = sql.SQL(", ").join(map(sql.Identifier, kept.key))
        statement = sql.SQL(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {age} < %s AND {which} LIMIT %s)"
        ).format(table=table, key=key, age=sql.Identifier(kept.age), which=which)

        async def portion(connection: Connection) -> int:
            return (await connection.execute(statement, [cutoff, _PORTION])).rowcount

        for _ in range(_MOST_PORTIONS):
            if await self._database.run(portion) < _PORTION:
                return


async def _now(connection: Connection) -> datetime:
    row = await (await connection.execute("SELECT now()")).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


async def _known(connection: Connection) -> dict[str, set[str]]:
    """Table -> its partitions."""
    known: dict[str, set[str]] = {kept.table: set() for kept in KEPT.values()}
    for table, partition in await (await connection.execute(_DAYS, [list(known)])).fetchall():
        known[table].add(partition)
    return known


async def _make(connection: Connection, kept: Kept, day: date) -> None:
    """What the default partition has of that day moves into it."""
    parent, partition, default = kept.table, _name(kept, day), f"{kept.table}_default"
    bounds = [_bound(kept, day), _bound(kept, day + timedelta(days=1))]
    names = {name: sql.Identifier(text) for name, text in (("p", parent), ("n", partition), ("d", default))}

    def of(template: LiteralString, **more: sql.Composable) -> sql.Composed:
        return sql.SQL(template).format(**names, day=sql.Identifier(kept.day), **more)

    row = await (await connection.execute(_COLUMNS, [parent])).fetchone()
    assert row is not None
    columns = sql.SQL(row[0])
    await connection.execute(of("LOCK TABLE {d} IN ACCESS EXCLUSIVE MODE"))
    await connection.execute(of("CREATE TABLE {n} (LIKE {p} INCLUDING DEFAULTS INCLUDING GENERATED)"))
    moved = of(
        "WITH moved AS (DELETE FROM {d} WHERE {day} >= %s AND {day} < %s RETURNING {c}) "
        "INSERT INTO {n} ({c}) SELECT {c} FROM moved",
        c=columns,
    )
    await connection.execute(moved, bounds)
    first, last = map(sql.Literal, map(str, bounds))
    attached = of("ALTER TABLE {p} ATTACH PARTITION {n} FOR VALUES FROM ({first}) TO ({last})", first=first, last=last)
    await connection.execute(attached)


async def _drop(connection: Connection, kept: Kept, day: date) -> None:
    await connection.execute(sql.SQL("DROP TABLE {}").format(_table(kept, day)))


def _name(kept: Kept, day: date) -> str:
    return f"{kept.table}_{day:%Y%m%d}"


def _table(kept: Kept, day: date) -> sql.Identifier:
    return sql.Identifier(_name(kept, day))


def _day_of(partition: str) -> date | None:
    """``None`` for the default partition."""
    try:
        return datetime.strptime(partition.rpartition("_")[2], "%Y%m%d").date()
    except ValueError:
        return None


def _begins(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _bound(kept: Kept, day: date) -> UUID | datetime:
    """The smallest key of that day: a UUIDv7 begins with its milliseconds."""
    begins = _begins(day)
    return begins if kept.day == "at" else UUID(int=int(begins.timestamp() * 1000) << 80)
