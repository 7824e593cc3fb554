"""Tables as they were before: cheaper than to make them again, where one test or world after another uses them.

Rows go, and numbers are counted from where they were. Dead rows stay until there are many: after a vacuum every session
plans its statements anew. So nothing may depend on where rows lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.types.json import Jsonb

__all__ = ["Emptying"]

_LARGE: Final = 256 * 1024
"""Bytes of a table that are worth a vacuum."""

_RELATIONS: Final = """
SELECT format('%I.%I', n.nspname, c.relname), c.relkind::text,
       CASE c.relkind WHEN 'S' THEN pg_sequence_last_value(c.oid) ELSE pg_relation_size(c.oid) END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'S') AND c.relname <> 'alembic_version'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1
"""

Connection: TypeAlias = psycopg.Connection[Any]
"""In autocommit, of a user who may do everything in this database."""


class Emptying:
    """The tables of one database. Without :meth:`keep` and :meth:`spare` there is nothing in them afterwards."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._spared: dict[str, str | None] = {}
        self._numbers: dict[str, int | None] = {}

    def keep(self, connection: Connection) -> None:
        """What there is now, a few rows, is there again after each emptying."""
        for name, kind, size in self._counted(connection):
            if kind == "r" and size:
                ((rows,),) = connection.execute(
                    f"SELECT jsonb_agg(to_jsonb(kept.*)) FROM {name} AS kept".encode()
                ).fetchall()
                if rows is not None:
                    self._kept[name] = rows

    def spare(self, connection: Connection, tables: Mapping[str, str | None]) -> None:
        """What these tables hold now stays when they are emptied, but for rows that meet a condition; and numbers are
        counted from where they are."""
        self._spared = dict(tables)
        self._counted(connection)

    def empty(self, connection: Connection, *, everything: bool = False) -> None:
        """``everything``: what is spared, too."""
        if everything:
            self._spared, self._numbers = {}, {}
        relations = _relations(connection)
        used = {name: self._spared.get(name, "true") for name, kind, size in relations if kind == "r" and size}
        wiped = {name: condition for name, condition in used.items() if condition is not None}
        if not wiped:
            return
        wiping = ["SET session_replication_role = replica"]
        wiping += [f"DELETE FROM {name} WHERE {condition}" for name, condition in wiped.items()]
        for name, kind, number in relations:
            before = self._numbers.get(name)
            if kind == "S" and number != before:
                wiping.append(f"SELECT setval('{name}', {before or 1}, {before is not None})")
        connection.execute("; ".join([*wiping, "RESET session_replication_role"]).encode())
        large = [name for name, _, size in relations if name in wiped and (everything or (size or 0) > _LARGE)]
        if large:
            connection.execute(f"VACUUM {', '.join(large)}".encode())
        for name, rows in self._kept.items():
            again = f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, %s)"
            connection.execute(again.encode(), [Jsonb(rows)])

    def _counted(self, connection: Connection) -> list[tuple[str, str, int | None]]:
        relations = _relations(connection)
        self._numbers = {name: number for name, kind, number in relations if kind == "S"}
        return relations


def _relations(connection: Connection) -> list[tuple[str, str, int | None]]:
    """Tables with their sizes, and sequences with the numbers that they gave last."""
    return connection.execute(_RELATIONS).fetchall()
