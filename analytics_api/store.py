"""Connections to the analytics store: read-only, bounded in time, foreign errors translated at this border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import errors
from sqlalchemy import Executable, event
from sqlalchemy.engine import Row, RowMapping
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from lowtide.errors import LowtideError, Unavailable
from lowtide.storage.addresses import conninfo_of, url_of
from lowtide.storage.database import kept_alive
from lowtide.storage.waiting import Cutoff
from lowtide.telemetry.measures import Count, Measure, Reading

__all__ = ["PLANNING", "Store", "reason"]

_VARIABLE: Final = "LOWTIDE_ANALYTICS_URL"

_CONNECT_TIMEOUT: Final = 5
"""Seconds until a connection is given up, and until one of ours must have become free."""

_MARGIN: Final = 2 * _CONNECT_TIMEOUT + 5.0
"""Seconds on top of the statement timeout after which nothing is waited for any longer, PostgreSQL's word included."""

PLANNING: Final = (
    # Pages are short: to compile their plans, or to start workers for them, costs more than it saves.
    "SET jit = off; SET max_parallel_workers_per_gather = 0; SET work_mem = '16MB'; "
    "SET random_page_cost = 1.1; "  # disks have no heads any more
)

_NOT_MIGRATED: Final = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)


class Store:
    """At most ``connections`` to the database of ``url``, made when first needed.

    ``statement_timeout`` is in seconds; nobody waits for longer than that and a ``margin``, whatever the server does. A
    database that is away makes questions fail at once, and is found again by
    the first question after its return.
    """

    def __init__(self, url: str, *, connections: int, statement_timeout: float, margin: float = _MARGIN) -> None:
        self.failed = Count("lowtide_questions_failed_total", "Questions that the store did not answer")
        self._statement_timeout = statement_timeout
        self._cutoff = Cutoff(statement_timeout + margin)
        self.engine = create_async_engine(
            url_of(url, _VARIABLE),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_CONNECT_TIMEOUT,
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
            # Never prepared: a plan that does not know the words, the tag or the window that is asked for is a bad one.
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT,
                "application_name": "lowtide-analytics",
                "prepare_threshold": None,
                **kept_alive(conninfo_of(url, _VARIABLE)),
            },
        )
        # Set by statements rather than by start-up options, which poolers in between refuse.
        settings = PLANNING + "SET default_transaction_read_only = on; "
        settings += f"SET statement_timeout = {statement_timeout * 1000:.0f}"

        @event.listens_for(self.engine.sync_engine, "connect")
        def limit(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute(settings)
            cursor.close()

    async def ask(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """All rows of one query.

        Raises :class:`lowtide.errors.Unavailable` where the database is away, has no tables yet, or takes too long.
        """
        return [row._mapping for row in await self.rows(statement, values)]

    async def rows(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """As :meth:`ask`, the values by their places: where there are thousands, names cost more than they say."""
        try:
            return await self._cutoff(self._asked(statement, values))
        except (TimeoutError, PoolTimeout) as error:
            self.failed.add()
            raise Unavailable("the analytics store is busy or does not answer; try again") from error
        except DBAPIError as error:
            self.failed.add()
            raise self._translated(error) from error

    async def _asked(self, statement: Executable, values: Mapping[str, Any] | None) -> Sequence[Row[Any]]:
        async with self.engine.connect() as connection:
            return (await connection.execute(statement, values)).all()

    @property
    def measures(self) -> Sequence[Measure]:
        pool: Any = self.engine.pool
        of = ("analytics", "questions")
        return (
            self.failed,
            Reading(
                "lowtide_pool_connections_in_use",
                "Connections in use",
                lambda: [(of, float(pool.checkedout()))],
                ("store", "pool"),
            ),
            Reading(
                "lowtide_pool_connections_limit",
                "Connections there may be",
                lambda: [(of, float(pool.size()))],
                ("store", "pool"),
            ),
        )

    async def close(self) -> None:
        await self._cutoff.ended()
        await self.engine.dispose()

    def _translated(self, error: DBAPIError) -> LowtideError:
        match error.orig:
            case errors.QueryCanceled():
                return Unavailable(
                    f"the question took longer than {self._statement_timeout:g} s; narrow it by workflow or by time"
                )
            case errors.Error() as known if isinstance(known, _NOT_MIGRATED):
                return Unavailable("the analytics store has no tables for this version; run its migrations")
            case errors.OperationalError() | errors.InterfaceError():
                return Unavailable(f"the analytics store cannot be reached: {reason(error)}")
        raise error


def reason(error: DBAPIError) -> str:
    """The first line of what the driver says, without the statement."""
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
