"""A few PostgreSQL connections that fail at once with the reason, and recover by themselves.

For the statements that every execution needs: a checkout and a transaction of SQLAlchemy's take four times the
processor time of such a statement. No pool library: a handful of connections is enough, their owner must start while
the database is away, must say why it is away instead of waiting for a pool's time-out, and must be back the moment it
is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from lowtide.errors import Unavailable
from lowtide.storage.waiting import Cutoff

__all__ = ["UNFIT", "Connection", "Database", "kept_alive"]

T = TypeVar("T")
Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

_NOT_MIGRATED = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)
_LIMITS = (errors.ProgramLimitExceeded, errors.StatementTooComplex)

UNFIT: Final = (psycopg.DataError, psycopg.IntegrityError, *_LIMITS)
"""A value that does not fit, also where PostgreSQL's limits are in its way: a text too long for an index, a document
that is too deep. Who sends it again meets with the same."""

_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)

_ALIVE: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}


def kept_alive(url: str) -> dict[str, Any]:
    """What libpq is told where the URL says nothing of it: a server whose machine is gone, and so does not even refuse,
    is noticed in half a minute. By itself TCP takes a quarter of an hour, or two hours where we wait for an answer."""
    said = conninfo_to_dict(url)
    return {name: value for name, value in _ALIVE.items() if name not in said}


class Database:
    """At most ``size`` connections to ``url``, ``in_use`` of them at work. ``name`` is how the store is called in
    messages. ``longest``: seconds that work is waited for, where somebody waits for an answer; else as long as it
    takes."""

    def __init__(
        self,
        name: str,
        url: str,
        size: int,
        *,
        connect_timeout: float = 5.0,
        statement_timeout: float = 10.0,
        longest: float | None = None,
        application: str = "lowtide-ingest",
    ) -> None:
        self.name = name
        self.size = size
        self.in_use = 0
        self._url = url
        self._connect_timeout = connect_timeout
        self._statement_timeout = statement_timeout
        self._application = application
        self._cutoff = None if longest is None else Cutoff(longest)
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` returns, after the commit. ``work`` may be called again on a new connection.

        Raises as :meth:`run`.
        """

        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self.run(whole)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` returns; each of its statements is a transaction. It may be called again on a new connection.

        Raises :class:`lowtide.errors.Unavailable` where the database cannot be reached, has no room or no tables yet;
        :data:`UNFIT` passes through.
        """
        if self._cutoff is None:
            return await self._run(work)
        try:
            return await self._cutoff(self._run(work))
        except TimeoutError as error:
            raise Unavailable(f"the {self.name} store does not answer; try again") from error

    async def _run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            self.in_use += 1
            try:
                try:
                    return await self._attempt(work, fresh=False)
                except _LIMITS:
                    raise
                except (*_AGAIN, psycopg.OperationalError, psycopg.InterfaceError):
                    # The connection may have died while it was idle, or two transactions crossed: once more.
                    return await self._attempt(work, fresh=True)
            except UNFIT:
                raise
            except psycopg.Error as error:
                raise self._unavailable(error) from error
            finally:
                self.in_use -= 1

    async def _attempt(self, work: Callable[[Connection], Awaitable[T]], *, fresh: bool) -> T:
        if fresh:
            await self._discard()
        connection = self._idle.pop() if self._idle else await self.connect()
        try:
            result = await work(connection)
        except psycopg.Error:
            if connection.closed or connection.broken:
                await connection.close()
            else:
                self._idle.append(connection)
            raise
        except BaseException:
            # Cancelled, or a mistake of ours, in the middle of the protocol: do not trust the connection further.
            await connection.close()
            raise
        self._idle.append(connection)
        return result

    async def connect(self) -> Connection:
        """A connection of the caller's own, in autocommit. Raises ``psycopg.OperationalError``."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, application_name=self._application, **kept_alive(self._url)
                )
        except TimeoutError as error:
            raise psycopg.OperationalError(f"no connection within {self._connect_timeout:g} s") from error
        timeout = f"{self._statement_timeout * 1000:.0f}"
        await connection.execute("SELECT set_config('statement_timeout', %s, false)", [timeout])
        return connection

    async def close(self) -> None:
        if self._cutoff is not None:
            await self._cutoff.ended()
        await self._discard()

    async def _discard(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    def _unavailable(self, error: Exception) -> Unavailable:
        if isinstance(error, _NOT_MIGRATED):
            return Unavailable(f"the {self.name} store has no tables for this version; run its migrations")
        what = "has no room" if isinstance(error, errors.DiskFull) else "cannot be reached"
        reason = str(error).strip().splitlines()
        return Unavailable(f"the {self.name} store {what}: {reason[0] if reason else type(error).__name__}")
