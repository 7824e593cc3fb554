"""Which databases the platform works on: its own server's, one given server's, or single given ones."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from .options import Options
from .refusals import DatabaseUnreachable

__all__ = ["Databases", "as_role", "given_databases", "of_server", "shown"]

_PREFIX: Final = "lowtide_"
_TIMEOUT: Final = 10  # seconds to connect


@dataclass(frozen=True)
class Databases:
    """One URL each; ``analysts`` is that of analytics as their role, empty where nobody asks in SQL."""

    control: str
    journal: str
    analytics: str
    broker: str
    analysts: str = ""


async def of_server(url: str) -> Databases:
    """The four databases of one server, made where they are missing.

    Raises :class:`DatabaseUnreachable` where the server does not answer, or where one may neither be used nor made.
    """
    names = {store: _PREFIX + store for store in ("control", "journal", "analytics", "broker")}
    missing = [name for name in names.values() if not await _answers(_named(url, name))]
    if missing:
        await _create(url, missing)
    return Databases(**{store: _named(url, name) for store, name in names.items()})


async def given_databases(options: Options) -> Databases | None:
    """The databases that the options name, or ``None`` where they name none.

    Raises :class:`DatabaseUnreachable`.
    """
    single = (options.control_url, options.journal_url, options.analytics_url)
    if not any(single):
        return await of_server(options.database_url) if options.database_url else None
    control, journal, analytics = single
    if control is None or journal is None or analytics is None:
        raise DatabaseUnreachable(
            "the control, journal and analytics databases are named together: "
            "give all three, or one server with --database-url"
        )
    broker = options.broker_database_url
    if broker is None:
        broker = _named(control, _PREFIX + "broker")
        if not await _answers(broker):
            await _create(control, [_PREFIX + "broker"])
    found = Databases(control=control, journal=journal, analytics=analytics, broker=broker)
    for url in (control, journal, analytics, broker):
        if not await _answers(url):
            raise DatabaseUnreachable(f"there is no database at {shown(url)}; create it, or mend the URL")
    return found


def shown(url: str) -> str:
    """A URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


def as_role(url: str, user: str, password: str) -> str:
    """The same database as somebody else."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


def _named(url: str, database: str) -> str:
    """The same server's other database."""
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("postgres") or not rest:
        raise DatabaseUnreachable(
            f"{shown(url)!r} names no PostgreSQL server; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    scheme = scheme.partition("+")[0]  # a driver's name means nothing to libpq
    authority, _, tail = rest.partition("/")
    _, mark, query = tail.partition("?")
    return f"{scheme}://{authority}/{database}{mark}{query}"


async def _answers(url: str) -> bool:
    """Whether the database exists. Raises :class:`DatabaseUnreachable` where its server does not let us know."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=_TIMEOUT):
            return True
    except psycopg.OperationalError as error:
        if "does not exist" in str(error) and "database" in str(error):
            return False
        raise DatabaseUnreachable(
            f"the database at {shown(url)} does not answer: {str(error).strip()}; start it, or mend the URL"
        ) from error
    except psycopg.Error as error:
        raise DatabaseUnreachable(f"{shown(url)!r} is no usable URL: {error}") from error


async def _create(server: str, names: list[str]) -> None:
    """Connected to the database that the URL names, or else to the maintenance database."""
    at = server if urlsplit(server).path.strip("/") else _named(server, "postgres")
    if not await _answers(at):
        raise DatabaseUnreachable(f"there is no database at {shown(at)}; name one that exists")
    try:
        async with await psycopg.AsyncConnection.connect(at, autocommit=True, connect_timeout=_TIMEOUT) as connection:
            for name in names:
                with contextlib.suppress(psycopg.errors.DuplicateDatabase):  # somebody else was faster
                    await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        wanted = ", ".join(names)
        raise DatabaseUnreachable(
            f"the databases {wanted} are missing at {shown(at)} and may not be made there ({str(error).strip()}); "
            f"create them, or give the user the right to (ALTER ROLE … CREATEDB)"
        ) from error
