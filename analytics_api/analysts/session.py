"""One query, in a session of its own: nothing that a query does to its session is there for the next one.

PostgreSQL is told of a query twice: alone, so that it must be one whole statement by itself, and then within ours,
which reads it by a cursor and looks at the width of each row before it is sent. Only a SELECT has a place there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus

from lowtide.errors import InvalidInput, LowtideError, Misconfigured, Unavailable
from lowtide.runtime.chance import digits
from lowtide.storage.database import kept_alive

from . import limits
from .passes import signed
from .role import HOLES

__all__ = ["Found", "ask"]

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

_WITHIN: Final = "DECLARE asked NO SCROLL CURSOR FOR SELECT * FROM (\n"
_ALONE: Final = "PREPARE alone AS".ljust(len(_WITHIN))
"""As long as the other, so that places in a query are counted alike."""

_REST: Final = "\n) AS {name} WHERE analysts.fits(octet_length(({name}.*)::text)) LIMIT {limit}"

_log = logging.getLogger("lowtide.analytics.sql")


@dataclass
class Found:
    """``rows`` as PostgreSQL writes their values; ``columns`` are names and types."""

    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[bytes | None]] = field(default_factory=list)
    truncated: bool = False
    size: int = 0


async def ask(conninfo: str, key: tuple[bytes, bytes], namespace: str, query: str, limit: int) -> Found:
    """At most ``limit`` rows.

    Raises :class:`lowtide.errors.InvalidInput` where PostgreSQL refuses the query or it is too much,
    :class:`lowtide.errors.Unavailable` where the database is away, :class:`lowtide.errors.Misconfigured` where the role
    could do more than it should.
    """
    try:
        async with asyncio.timeout(limits.WHOLE_SECONDS), _session(conninfo) as connection:
            await _enter(connection, key, namespace)
            found = await _read(connection, query, limit)
    except TimeoutError as error:
        raise _too_long() from error
    except psycopg.Error as error:
        raise _translated(error) from error
    _log.info("answered a query", extra={"namespace": namespace, "rows": len(found.rows), "bytes": found.size})
    return found


@asynccontextmanager
async def _session(conninfo: str) -> AsyncIterator[Connection]:
    connection: Connection = await psycopg.AsyncConnection.connect(
        conninfo,
        connect_timeout=limits.CONNECT_SECONDS,
        application_name="lowtide-analysts",
        prepare_threshold=None,
        **kept_alive(conninfo),
    )
    try:
        await connection.set_read_only(True)
        yield connection
    finally:
        await connection.close()


async def _enter(connection: Connection, key: tuple[bytes, bytes], namespace: str) -> None:
    """Make sure that the role can do nothing else, and show the pass; both belong to the transaction that reads."""
    row = await (await connection.execute(HOLES.encode())).fetchone()
    process, now, holes = row if row is not None else (0, 0, ["says nothing about itself"])
    if holes:
        _log.error("the role of analysts can do more than it should: no query is asked", extra={"role": holes})
        raise Misconfigured(
            f"the role of LOWTIDE_ANALYSTS_URL {', '.join(holes)}: no query is asked as long as it can do more than "
            "read the views of analysts; run `python -m analytics_api.migrate` with that variable (docs/analysts.md)"
        )
    shown = signed(key, namespace, process, now + limits.SECONDS + int(limits.WHOLE_SECONDS))
    await connection.execute("SELECT set_config('lowtide.pass', %s, true)", [shown])


async def _read(connection: Connection, query: str, limit: int) -> Found:
    # Binary results are asked for by the extended protocol alone, which takes one statement and no second one.
    await connection.execute(f"{_ALONE}{query}".encode(), binary=True)
    rest = _REST.format(name=f"asked_{digits(16)}", limit=limit + 1)  # a name that the query cannot know
    await connection.execute(f"{_WITHIN}{query}{rest}".encode(), binary=True)
    found = Found()
    while not found.truncated:
        cursor = await connection.execute(f"FETCH FORWARD {limits.BATCH} FROM asked".encode())
        result = cursor.pgresult
        if result is None or result.status != ExecStatus.TUPLES_OK:
            raise Unavailable("the analytics store gave no rows and no reason; try again")
        if not found.columns:
            found.columns = [_column(connection, result, place) for place in range(result.nfields)]
        for row in range(result.ntuples):
            values = [result.get_value(row, place) for place in range(result.nfields)]
            found.size += sum(len(value) for value in values if value is not None)
            if len(found.rows) == limit or found.size > limits.BYTES:
                found.truncated = True
                break
            found.rows.append(values)
        if result.ntuples < limits.BATCH:
            break
    return found


def _column(connection: Connection, result: psycopg.pq.abc.PGresult, place: int) -> tuple[str, str]:
    known = connection.adapters.types.get(result.ftype(place))
    kind = "other" if known is None else f"{known.name}[]" if result.ftype(place) == known.array_oid else known.name
    return (result.fname(place) or b"").decode(), kind


def _too_long() -> InvalidInput:
    return InvalidInput(
        f"the query took longer than {limits.SECONDS} s; narrow it by time (created_at, at), count in `hours` instead "
        "of rows, or take a LIMIT"
    )


def _translated(error: psycopg.Error) -> LowtideError:
    match error:
        case errors.QueryCanceled():
            return _too_long()
        case (
            errors.TooManyConnections() | errors.AdminShutdown() | errors.CannotConnectNow() | errors.LockNotAvailable()
        ):
            return Unavailable("the analytics store is busy; try again")
        case errors.ProtocolViolation() | errors.UndefinedParameter():
            return InvalidInput("a query takes no parameters, as $1; write the values into it")
        case errors.UndefinedTable() | errors.InsufficientPrivilege():
            return InvalidInput(
                f"{_said(error)}; docs/analysts.md lists the views that can be read, by their names alone"
            )
        case _ if (error.sqlstate or "")[:2] in _OF_THE_QUERY:
            return InvalidInput(_said(error))
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return Unavailable(f"the analytics store cannot be asked by analysts: {str(error).strip().splitlines()[0]}")
    raise error


_OF_THE_QUERY: Final = frozenset({"0A", "20", "21", "22", "25", "26", "2F", "34", "38", "3D", "3F", "42", "53", "54"})
"""Classes of SQLSTATE (PostgreSQL's manual, appendix A): something is wrong with the query, or it is too much."""


def _said(error: psycopg.Error) -> str:
    """What PostgreSQL says, and where in the query; neither its detail nor its context, which tell of our own words."""
    said, at = error.diag.message_primary or type(error).__name__, error.diag.statement_position
    hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
    place = int(at) - len(_WITHIN) if at else 0
    return f"{said}, at character {place}{hint}" if place > 0 else f"{said}{hint}"
